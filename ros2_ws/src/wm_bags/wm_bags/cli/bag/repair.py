"""Make a bag whole after a crash or damage; nothing of it is thrown away."""

import argparse
import sys
from pathlib import Path

ERROR_STATUS = 2  # 1: a bag could not be repaired


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="a rosbag2 folder of MCAP files")
    parser.add_argument(
        "--incomplete",
        action="store_true",
        help="also a recording of which files are lost: make a bag of those that are left",
    )


def run(options: argparse.Namespace) -> int:
    """Repair each bag and say how much was kept; returns 1 when one could not be."""
    from wm_bags.storage.errors import BagError
    from wm_bags.storage.repair import repair

    refused = 0
    for path in options.bags:
        try:
            print(repair(path, options.incomplete).describe())
        except (BagError, OSError) as error:
            refused += 1
            print(f"{path}: NOT REPAIRED\n  {error}", file=sys.stderr)
    return 1 if refused else 0
