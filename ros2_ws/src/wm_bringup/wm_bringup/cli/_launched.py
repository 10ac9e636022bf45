"""The options of verbs that read what a launch gives its nodes."""

import argparse
from pathlib import Path
from typing import Any


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
        " none: there is no driver, or the arm is a stand-in (default: %(default)s; not read where time is simulated)",
    )


def files(options: argparse.Namespace, robot: Any, simulated: bool) -> list[Path]:
    """Parameter files in the order in which they are read; a simulator gives its nodes no driver's."""
    from wm_bringup.launch_files import files_of_real

    return list(options.params_file) if simulated else files_of_real(robot.name, options.driver, options.params_file)
