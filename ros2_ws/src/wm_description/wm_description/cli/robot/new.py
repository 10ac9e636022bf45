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

    from wm_core.robot import RobotError
    from wm_description.propose import PICTURE, new_robot

    try:
        title = ElementTree.parse(options.urdf).getroot().get("name", "robot")
    except ElementTree.ParseError as error:
        raise RobotError(f"{options.urdf}: expected a URDF, got XML that cannot be read: {error}") from error
    name = options.name or title
    out = options.out or Path("robots") / name
    proposal = new_robot(options.urdf, out, name)
    for note in proposal.notes:
        print(f"look at: {note}")
    for line in proposal.found.errors + proposal.found.warnings:
        print(f"mend: {line}")
    if proposal.found.errors:
        print(f"written: {out}/profile.yaml; mend it, then: ./wm robot check {out}")
    else:
        print(f"written: {out}/profile.yaml, {out}/{PICTURE}; try it: ./wm launch arm_sim.launch.py robot:={out}")
    return 0
