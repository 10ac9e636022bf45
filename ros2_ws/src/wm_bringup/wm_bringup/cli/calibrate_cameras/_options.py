"""The options that the verbs of calibrating share."""

import argparse
from pathlib import Path
from typing import Any

from wm_bringup.cli._launched import add_files, add_robot, files, robot_of


def add_rig(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rig", type=Path, required=True, metavar="FILE", help="the rig, with about where the cameras are"
    )
    add_robot(parser)
    parser.add_argument("--cameras", nargs="+", default=[], metavar="NAME", help="of the rig (default: all)")


def add_topics(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    for kind in ("colour", "depth", "info", "joint"):
        parser.add_argument(
            f"--{kind}-topic", default="", metavar="TOPIC", help=f"in place of {kind}_topic of wm_perception"
        )
    parser.add_argument(
        "--rectified",
        choices=("auto", "true", "false"),
        help="whether images are rectified, in place of rectified of wm_perception; auto: by their topics' names",
    )


def topics(options: argparse.Namespace, robot: Any, simulated_time: bool, simulated_arm: bool) -> Any:
    """Of the options, else of the parameter files, else the robot's; a simulated arm has no driver."""
    from wm_bringup.calibration.topics import topics_of

    given: dict[str, Any] = {"joints": options.joint_topic, "controller": getattr(options, "controller_topic", "")}
    given |= {"aligned_depth": getattr(options, "aligned_depth", False), "rectified": options.rectified or ""}
    given |= {kind: getattr(options, f"{kind}_topic") for kind in ("colour", "depth", "info")}
    return topics_of(robot, files(options, robot, simulated_time, simulated_arm), given)


def read_rig(options: argparse.Namespace) -> tuple[Any, Any]:
    """The robot's kinematics, and the chosen cameras with poses in its table frame."""
    from wm_core.kinematics import Kinematics
    from wm_core.rig import CameraRig

    robot = robot_of(options)
    rig = CameraRig.load(options.rig).in_table_frame(robot)
    return Kinematics(robot), rig.only(options.cameras) if options.cameras else rig
