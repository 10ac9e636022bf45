"""The robot that a node's parameters name, with its description from a file or a topic."""

import pytest
import rclpy
import yaml
from rclpy.parameter import Parameter
from std_msgs.msg import String

from wm_core import robot_source
from wm_core.kinematics import Kinematics
from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError
from wm_core.qos import LATCHED
from wm_core.robot import PROFILE, load_robot
from wm_core.robot_description import describe
from wm_core.robot_source import ROBOT, robot_of

pytestmark = pytest.mark.ros


class Moving(WmNode):
    PARAMETERS = ROBOT


@pytest.fixture
def node():
    rclpy.init()
    node = Moving("moving", namespace="/robot_source_test")
    yield node
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def published(tmp_path):
    """A robot whose description comes on a topic."""
    data = yaml.safe_load(load_robot("panda").file.read_text())
    data["urdf"] = {"topic": "robot_description"}
    (tmp_path / PROFILE).write_text(yaml.safe_dump(data))
    return str(tmp_path)


def choose(node, **values):
    node.set_parameters([Parameter(name, value=value) for name, value in values.items()])


def test_a_node_has_the_robot_that_its_parameters_name(node):
    choose(node, robot="ur5e", table_frame="bench")
    robot = robot_of(node)
    assert robot.name == "ur5e" and robot.table_frame == "bench"
    choose(node, robot="panda", urdf=load_robot("panda").urdf)
    assert Kinematics(robot_of(node)).joint_names == load_robot("panda").joints


def test_a_description_is_taken_from_its_topic(node, published):
    publisher = node.create_publisher(String, "robot_description", LATCHED)
    publisher.publish(String(data=describe(load_robot("panda"))))
    choose(node, robot=published)
    assert Kinematics(robot_of(node)).joint_names == load_robot("panda").joints


def test_a_description_that_does_not_come_is_missed_by_name(node, published, monkeypatch):
    monkeypatch.setattr(robot_source, "PATIENCE_S", 0.3)
    choose(node, robot=published)
    with pytest.raises(ConfigError, match="'robot_description' within 0.3 s, none came"):
        robot_of(node)
