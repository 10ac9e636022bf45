"""Let the arm of a running wm move: after arm_real.launch.py nothing moves until this is called."""

import argparse

from wm_bringup.cli._running import add_namespace, trigger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--undo",
        action="store_true",
        help="hold the arm until the next ./wm start; no emergency stop (that is ./wm stop)",
    )
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    return trigger(options, "wm/stop" if options.undo else "wm/start")
