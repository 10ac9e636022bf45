"""Storage, files, topics; what cannot be read, and why."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import DAMAGED, Bag

ERROR_STATUS = 2  # 1: a bag was refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="a rosbag2 folder or a single file")
    parser.add_argument("--verify", action="store_true", help="also read every message, by its type")
    parser.add_argument("--damaged", choices=DAMAGED, default="refuse", help="skip: read what is around damage")


def run(options: argparse.Namespace) -> int:
    """Print each bag; returns 1 when one was refused."""
    refused = 0
    for path in options.bags:
        try:
            with Bag(path, options.damaged) as bag:
                read, unreadable = _verified(bag) if options.verify else (None, {})
                print(_described(bag, read, unreadable))
        except BagError as error:
            refused += 1
            print(f"{path}: REFUSED\n  {error}", file=sys.stderr)
    return 1 if refused else 0


def _verified(bag: Bag) -> tuple[Counter[str], dict[str, str]]:
    """How many messages of each topic could be read, and the first problem of those that could not."""
    read: Counter[str] = Counter()
    unreadable: dict[str, str] = {}
    for message in bag.messages():
        try:
            bag.deserialize(message)
            read[message.topic] += 1
        except BagError as error:
            unreadable.setdefault(message.topic, str(error))
    return read, unreadable


def _described(bag: Bag, read: Counter[str] | None, unreadable: dict[str, str]) -> str:
    version = f", metadata.yaml of version {bag.version}" if bag.version else ""
    distro = f", {bag.distro}" if bag.distro else ""
    lines = [f"{bag.path}: {bag.storage}, {len(bag.files)} file{'s' * (len(bag.files) != 1)}{version}{distro}"]
    for topic in bag.topics.values():
        count = f"{topic.messages}" if read is None else f"{read[topic.name]} of {topic.messages} read"
        problem = unreadable.get(topic.name) or bag.problem_of(topic.name)
        lines.append(f"  {topic.name}  {topic.type}  {count}" + (f"\n    {problem}" if problem else ""))
    return "\n".join([*lines, *(f"  note: {note}" for note in bag.notes)])
