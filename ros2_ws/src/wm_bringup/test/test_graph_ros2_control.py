"""ros2_control.launch.py: a controller manager, and the controllers that the folder of a robot has for it."""

from pathlib import Path

import pytest
import yaml

from wm_bringup import drivers
from wm_bringup.graph_real import arm_real
from wm_bringup.graph_ros2_control import ros2_control
from wm_bringup.launch_arguments import LaunchError
from wm_core.robot import load_robot, robot_names


@pytest.mark.parametrize("robot", robot_names())
def test_every_robot_has_a_mocked_arm(robot, everything_installed):
    graph = ros2_control({"robot": robot, "namespace": "/left/"})
    publisher, manager, spawner = graph.programs
    assert manager.executable == "ros2_control_node" and "__ns:=/left" in manager.arguments
    parameters = yaml.safe_load(Path(manager.arguments[-1]).read_text())
    assert publisher.arguments == manager.arguments
    assert "mock_components" in parameters["/**/robot_state_publisher"]["ros__parameters"]["robot_description"]
    assert "robot_description" not in parameters["/**/controller_manager"]["ros__parameters"]  # it would not be read
    assert {"joint_state_broadcaster", "arm_controller"} <= set(spawner.arguments)
    assert spawner.arguments[-1] == "/left/controller_manager"


def test_arm_real_brings_it_as_a_driver(everything_installed):
    given = {"robot": "iiwa", "rig": "one_camera", "driver": "ros2_control", "use_mock_hardware": "true"}
    (include,) = arm_real(given).includes
    assert (include.package, include.launch) == ("wm_bringup", "ros2_control.launch.py")
    assert include.arguments["robot"] == str(load_robot("iiwa").file)
    assert drivers.driver_of(drivers.AUTO, "iiwa") is None  # it is chosen, not found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"robot": "r2d2"}, "'robot': .*known robots"),
        ({"use_mock_hardware": "false"}, "'robot_ip': expected the arm's address"),
        ({}, "controller_manager is not installed: sudo apt-get install ros-.*-ros2-control"),
        ({"rig": "one_camera"}, "unknown argument 'rig'"),
    ],
)
def test_what_cannot_be_started_is_refused(given, expected, monkeypatch):
    monkeypatch.setattr("wm_bringup.graph_ros2_control.installed", lambda package: False)
    with pytest.raises(LaunchError, match=expected):
        ros2_control(given)
