"""Say what is missing or contradictory in a robot profile, before anything moves.

Joints without limits, links that the URDF does not have, a home or reach where the arm does not get or touches itself or the
table, links that no mask takes out of the cameras' view. Exit status 1: the robot cannot be used like this.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "robot", metavar="PROFILE", help="a robot of wm_description, or the path of a profile or its folder"
    )
    parser.add_argument(
        "--urdf", type=Path, help="the URDF as it comes on the topic, for a robot whose description is published"
    )


def run(options: argparse.Namespace) -> int:
    from wm_description.check import check_robot

    found = check_robot(options.robot, options.urdf.read_text() if options.urdf else "")
    for kind, lines in (("error", found.errors), ("warning", found.warnings), ("note", found.facts)):
        for line in lines:
            print(f"{kind}: {line}")
    count = len(found.errors)
    print(f"{options.robot}: " + (f"{count} error{'s' if count != 1 else ''}" if count else "can be used"))
    return 1 if count else 0
