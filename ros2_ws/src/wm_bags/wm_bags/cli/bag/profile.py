"""Propose which topic plays which role, as the file that `--profile` of other verbs reads."""

import argparse
from pathlib import Path

ERROR_STATUS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path)


def run(options: argparse.Namespace) -> int:
    from wm_bags.steps.propose import propose
    from wm_bags.storage.reading import Bag
    from wm_core.robot import load_robot, robot_names

    with Bag(options.bag) as bag:
        print(propose(bag, {name: load_robot(name).joints for name in robot_names()}), end="")
    return 0
