"""Propose a profile for an arm's URDF, with light meshes and a picture of it.

The arm gets a pusher at its flange. Where it gets to with it is tried: home and reach are what came out.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--urdf", type=Path, required=True, metavar="FILE", help="the arm's URDF (run xacro on it first)"
    )
    parser.add_argument("--name", help="of the robot; default: the URDF's")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the profile; default: robots/NAME")


def run(options: argparse.Namespace) -> int:
    import xml.etree.ElementTree as ElementTree

    from wm_core.kinematics import Kinematics
    from wm_core.robot import RobotError, load_robot
    from wm_description.check import check_robot
    from wm_description.picture import save_picture
    from wm_description.propose import new_robot
    from wm_description.reach import home_joints

    try:
        title = ElementTree.parse(options.urdf).getroot().get("name", "robot")
    except ElementTree.ParseError as error:
        raise RobotError(f"{options.urdf}: expected a URDF, got XML that cannot be read: {error}") from error
    name = options.name or title
    out = options.out or Path("robots") / name
    for note in new_robot(options.urdf, out, name):
        print(f"look at: {note}")
    found = check_robot(out)
    for line in found.errors + found.warnings:
        print(f"mend: {line}")
    if not found.errors:
        kinematics = Kinematics(load_robot(out))
        save_picture(kinematics, home_joints(kinematics), out / "picture.png")
        print(f"written: {out}/profile.yaml, {out}/picture.png; try it: ./wm launch arm_sim.launch.py robot:={out}")
    else:
        print(f"written: {out}/profile.yaml; mend it, then: ./wm robot check {out}")
    return 0
