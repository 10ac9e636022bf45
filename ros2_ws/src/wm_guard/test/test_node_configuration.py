"""The guard's process and its parameters: what cannot work is refused by name, and topics can be others."""

import re
from pathlib import Path

import guard_process
import pytest

from wm_core.robot import load_robot

CONFIGURE, Robot = guard_process.CONFIGURE, guard_process.Robot

pytestmark = pytest.mark.ros


def test_a_bad_workspace_is_refused_by_name(ros, kinematics, start):
    with Robot(kinematics, start, "-p", "workspace_min:=[0.9, 0.0, 0.0]") as robot:
        assert not robot.transition(CONFIGURE)
        robot.until(lambda: robot.status and "workspace_min" in robot.status[-1].message)
        assert robot.process.poll() is None


@pytest.mark.parametrize("velocity", ["0", "inf"])
def test_a_robot_without_velocity_limits_is_refused_by_name(ros, kinematics, start, tmp_path, velocity):
    urdf = tmp_path / "arm.urdf"
    urdf.write_text(re.sub('velocity="[^"]*"', f'velocity="{velocity}"', Path(load_robot().urdf).read_text(), count=3))
    with Robot(kinematics, start, "-p", f"urdf:={urdf}") as robot:
        assert not robot.transition(CONFIGURE)
        robot.until(lambda: robot.status and "panda_joint2" in robot.status[-1].message)
        assert "limits.velocity" in robot.status[-1].message


def test_the_topics_are_parameters(ros, kinematics, start):
    topics = ("-p", "joint_topic:=driver/states", "-p", "trajectory_topic:=driver/go", "-p", "placed_topic:=placed")
    with Robot(kinematics, start, *topics) as robot:
        assert robot.transition(CONFIGURE)
        space, count = robot.node.get_namespace(), robot.node.count_subscribers
        robot.until(lambda: count(f"{space}/driver/states") == count(f"{space}/placed") == 1)
        robot.until(lambda: robot.node.count_publishers(f"{space}/driver/go") == 1)
        assert not robot.state_publisher.get_subscription_count()
