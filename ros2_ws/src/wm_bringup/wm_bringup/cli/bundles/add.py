"""Copy a bundle into the registry."""

import argparse
from pathlib import Path

from wm_core.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as", dest="id", default=None, metavar="ID", help="a new id for the copy")
    parser.add_argument("--why", default="", help="what it is for")
    parser.add_argument("--bags", nargs="+", default=[], help="names of the recordings it was trained on")


def run(options: argparse.Namespace) -> int:
    entry = Registry().add(options.folder, options.why, options.bags, options.id)
    print(f"added {entry.id}")
    return 0
