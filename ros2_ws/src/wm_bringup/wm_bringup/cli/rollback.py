"""Go back to the bundle that was promoted before."""

import argparse

from wm_core.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", default=None, metavar="ID", help="an earlier one")
    parser.add_argument("--why", default="by hand")


def run(options: argparse.Namespace) -> int:
    registry = Registry()
    before = registry.promoted().id
    print(f"rolled back from {before} to {registry.rollback(options.why, options.to).id}")
    return 0
