"""The whole data loop in simulation, with a report.

Records an unknown world, fine-tunes the shipped bundle on it, judges, promotes and swaps it while the arm works. Writes
OUT/report.html and OUT/report.json; goes on where it was stopped. On a robot the same steps are ./wm record,
./wm bag check, ./wm finetune and ./wm promote.
"""

import argparse
from pathlib import Path

REQUIREMENTS = "requirements-dev.txt"
ERROR_STATUS = 2  # 1: the gate refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--demo", action="store_true", required=True, help="in simulation, all of it")
    # What is not given is as DemoSettings has it, which imports torch.
    usual = argparse.SUPPRESS
    parser.add_argument("--world", default=usual, help="name or file of the unknown world")
    parser.add_argument("--out", type=Path, default=usual)
    parser.add_argument("--minutes", type=float, default=usual, help="of robot time that are recorded")
    parser.add_argument("--goals", type=int, default=usual, help="of the gate in each world")
    parser.add_argument("--old-episodes", type=int, default=usual, help="collected in each known world")
    parser.add_argument("--live-goals", type=int, default=usual, help="pursued after the swap")
    parser.add_argument("--seed", type=int, default=usual, help="of the collection")
    parser.add_argument("--workers", type=int, default=usual)


def run(options: argparse.Namespace) -> int:
    """Returns 1 when the gate refused the bundle."""
    from wm_bringup.loop.demo import DemoSettings, demo

    given = {name: value for name, value in vars(options).items() if name != "demo"}
    return 0 if demo(DemoSettings(**given)) else 1
