"""What a controller manager is given for a robot: its description with the system of its macro, and its controllers."""

from collections.abc import Mapping
from typing import Any
from xml.dom.minidom import parseString
from xml.etree import ElementTree

import xacro
import yaml

from wm_core.robot import RobotError, RobotProfile
from wm_core.robot_description import describe

MACRO, CONTROLLERS = "ros2_control.xacro", "controllers.yaml"
MANAGER, PUBLISHER = "controller_manager", "robot_state_publisher"
PARAMETERS = "ros__parameters"


def with_system(robot: RobotProfile, mocked: bool, robot_ip: str = "") -> str:
    """The robot's URDF with the <ros2_control> element of the macro NAME_ros2_control beside its profile.

    `mocked`: an arm that does what it is sent, else the plugin of its maker, which gets `robot_ip`. Raises RobotError that names the file.
    """
    file = robot.file.with_name(MACRO)
    if not file.is_file():
        raise RobotError(
            f"{robot.file}: expected {MACRO} beside it, with a macro {robot.name}_ros2_control, found none"
        )
    values = {"prefix": robot.prefix, "use_mock_hardware": str(mocked).lower(), "robot_ip": robot_ip}
    given = " ".join(f'{name}="{value}"' for name, value in values.items())
    document = parseString(
        f'<robot xmlns:xacro="http://www.ros.org/wiki/xacro" name="{robot.name}"><xacro:include filename="{file}"/>'
        f"<xacro:{robot.name}_ros2_control {given}/></robot>"
    )
    try:
        xacro.process_doc(document)
    except Exception as error:  # xacro's own, and those of the expressions in the file
        raise RobotError(f"{file}: expected a macro {robot.name}_ros2_control, xacro says: {error}") from error
    system = ElementTree.fromstring(document.toxml()).find("ros2_control")
    if system is None:
        raise RobotError(f"{file}: expected a <ros2_control> element in {robot.name}_ros2_control, found none")
    root = ElementTree.fromstring(describe(robot))
    root.append(system)
    return ElementTree.tostring(root, encoding="unicode")


def manager_parameters(robot: RobotProfile, mocked: bool, robot_ip: str = "") -> dict[str, dict[str, Any]]:
    """Content of a parameter file for ros2_control_node in any namespace, and for the robot_state_publisher that gives it the
    description (since 4.14 a controller manager takes it from the topic only): controllers.yaml beside the profile, and the description.

    Raises RobotError that names the file.
    """
    file = robot.file.with_name(CONTROLLERS)
    try:
        said = yaml.safe_load(file.read_text())
        nodes = {name: dict(each[PARAMETERS]) for name, each in said.items()}
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise RobotError(f"{file}: expected parameters of {MANAGER} and its controllers, got {error!r}") from error
    if MANAGER not in nodes:
        raise RobotError(f"{file}: expected parameters of {MANAGER}, got those of {', '.join(nodes)}")
    for parameters in nodes.values():
        if "joints" in parameters:
            parameters["joints"] = [robot.prefix + joint for joint in parameters["joints"]]
    nodes[PUBLISHER] = {"robot_description": with_system(robot, mocked, robot_ip)}
    return {f"/**/{name}": {PARAMETERS: parameters} for name, parameters in nodes.items()}


def controllers_of(parameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the controllers that these parameters of a manager load."""
    manager = parameters[f"/**/{MANAGER}"][PARAMETERS]
    return [name for name, value in manager.items() if isinstance(value, Mapping) and "type" in value]
