"""The options of verbs that look at a robot from beside a launch: which robot it is, and what the launch gives its nodes."""

import argparse
from pathlib import Path
from typing import Any

from wm_core.robot import DEFAULT_ROBOT


def add_robot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--robot", default=DEFAULT_ROBOT, help="its name, or the path of its profile (default: %(default)s)"
    )
    parser.add_argument(
        "--urdf",
        type=Path,
        metavar="FILE",
        help="in place of the profile's; for a description that comes on a topic, the URDF as it comes there",
    )
    parser.add_argument(
        "--tf-prefix", default="", metavar="PREFIX", help="of the robot's links and joints, in place of the profile's"
    )


def robot_parameters(options: argparse.Namespace) -> dict[str, str]:
    """The same for a node of wm."""
    urdf = str(options.urdf.expanduser().absolute()) if options.urdf else ""
    given = {"robot": options.robot, "urdf": urdf, "tf_prefix": options.tf_prefix}
    return {name: value for name, value in given.items() if value}


def robot_of(options: argparse.Namespace) -> Any:
    """The RobotProfile; raises RobotError, and where its description comes on a topic and is not given."""
    from dataclasses import replace

    from wm_core.robot import RobotError, load_robot
    from wm_core.robot_description import how_to_write_down

    robot, urdf = load_robot(options.robot, options.tf_prefix), robot_parameters(options).get("urdf")
    if urdf:
        return replace(robot, urdf=urdf, urdf_topic="")
    if robot.urdf_topic:
        raise RobotError(
            f"{robot.file}: expected --urdf FILE, since the description comes on the topic '{robot.urdf_topic}', got none; or"
            f" {how_to_write_down(robot)}"
        )
    return robot


def add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--params-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="of the launch, or of a driver: its parameters of wm_guard and wm_perception; may be repeated, later ones win",
    )
    parser.add_argument(
        "--driver",
        default="auto",
        metavar="FOLDER",
        help="as the argument of arm_real; its parameters come before those files. auto: the shipped one that names the robot;"
        " none: there is none (default: %(default)s; a simulated arm has none)",
    )
    parser.add_argument(
        "--camera",
        default="",
        metavar="FOLDER",
        help="of the cameras' driver, as the argument of arm_real, such as realsense2_camera; its parameters come before those of the"
        " arm's",
    )


def files(options: argparse.Namespace, robot: Any, simulated_time: bool, simulated_arm: bool) -> list[Path]:
    """Parameter files in the order in which they are read; a simulated arm has no driver, unless one is asked for."""
    from wm_bringup.launch_files import files_of_camera, files_of_real

    if simulated_time:
        return [*files_of_camera(options.camera), *options.params_file]
    driver = "none" if simulated_arm and options.driver == "auto" else options.driver
    return files_of_real(robot.name, driver, options.camera, options.params_file)
