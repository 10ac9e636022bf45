"""The options that the verbs of calibrating share."""

import argparse
from pathlib import Path
from typing import Any

from wm_core.robot import DEFAULT_ROBOT


def add_rig(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rig", type=Path, required=True, metavar="FILE", help="the rig, with about where the cameras are"
    )
    parser.add_argument(
        "--robot", default=DEFAULT_ROBOT, help="its name, or the path of its profile (default: %(default)s)"
    )
    parser.add_argument("--cameras", nargs="+", default=[], metavar="NAME", help="of the rig (default: all)")


def add_topics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--colour-topic", default="{camera}/color/image_raw", metavar="TOPIC", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--depth-topic",
        default="{camera}/aligned_depth_to_color/image_raw",
        metavar="TOPIC",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--info-topic", default="{camera}/color/camera_info", metavar="TOPIC", help="(default: %(default)s)"
    )
    parser.add_argument("--joint-topic", default="", metavar="TOPIC", help="(default: the robot profile's)")


def topics(options: argparse.Namespace) -> Any:
    from wm_bringup.calibration.streams import Topics

    return Topics(options.colour_topic, options.depth_topic, options.info_topic, options.joint_topic)


def read_rig(options: argparse.Namespace) -> tuple[Any, Any]:
    """The robot's kinematics, and the chosen cameras with poses in its table frame."""
    from wm_core.kinematics import Kinematics
    from wm_core.rig import CameraRig
    from wm_core.robot import load_robot

    robot = load_robot(options.robot)
    rig = CameraRig.load(options.rig).in_table_frame(robot)
    return Kinematics(robot), rig.only(options.cameras) if options.cameras else rig
