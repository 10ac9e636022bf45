"""The robot that a node's parameters name, and its description where that is published on a topic."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rclpy.wait_for_message import wait_for_message
from std_msgs.msg import String

from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError, Param
from wm_core.qos import LATCHED
from wm_core.robot import DEFAULT_ROBOT, RobotProfile, load_robot

PATIENCE_S = 5.0
ROBOT = (
    Param("robot", DEFAULT_ROBOT, "robot: a name in wm_description/robots or the path of a profile"),
    Param("urdf", "", "robot description file in place of the profile's; empty: the profile's"),
    Param("tf_prefix", "", "of the robot's links and joints, in place of the profile's; empty: the profile's"),
    Param("table_frame", "", "frame of all positions, in place of the profile's; empty: the profile's"),
)
ROBOT_RETIRED = {
    "base_frame": "is 'table_frame' now, and said by the robot's profile: leave it out unless it is to be another",
    "tip": "is said by the robot's profile now (tool.link): leave it out, and name the profile in 'robot'",
}


def profile_of(value: Callable[[str], Any]) -> RobotProfile:
    """The robot of the parameters ROBOT, of which `value` gives each by its name; raises RobotError.

    Its description may still have to come on a topic.
    """
    robot = load_robot(value("robot"), value("tf_prefix"))
    if frame := value("table_frame"):
        robot = replace(robot, table_frame=frame)
    if file := value("urdf"):
        robot = replace(robot, urdf=str(Path(file).expanduser().absolute()), urdf_topic="")
    return robot


def robot_of(node: WmNode) -> RobotProfile:
    """The robot of a node that declares ROBOT, with its description; for `setup`.

    Raises RobotError, or ConfigError when the description is to come on a topic and does not within PATIENCE_S.
    """
    robot = profile_of(node.value)
    if not robot.urdf_topic:
        return robot
    found, message = wait_for_message(String, node, robot.urdf_topic, qos_profile=LATCHED, time_to_wait=PATIENCE_S)
    if not found:
        raise ConfigError(
            f"expected the robot's description on the topic '{robot.urdf_topic}' within {PATIENCE_S} s, none came; start"
            " robot_state_publisher or another node that publishes it (std_msgs/String, transient local)"
        )
    return robot.published(message.data)
