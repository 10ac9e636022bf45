"""`./wm bag info | profile | check | repair`: what a bag of anyone's making holds, and how much of it can be learned from."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from wm_bags.steps.check import check_bag
from wm_bags.steps.check_report import write_report
from wm_bags.steps.profile import Profile
from wm_bags.steps.propose import propose
from wm_bags.storage.common import BagError
from wm_bags.storage.reading import DAMAGED, Bag
from wm_bags.storage.repair import repair
from wm_core.kinematics import Kinematics
from wm_core.paths import urdf_path


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb `bag`."""
    bag = verbs.add_parser("bag", help="look at bags of anyone's making", description=__doc__)
    kinds = bag.add_subparsers(required=True, metavar="info|profile|check|repair")

    verb = kinds.add_parser("info", help="storage, files, topics; what cannot be read, and why")
    verb.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="a rosbag2 folder or a single file")
    verb.add_argument("--verify", action="store_true", help="also read every message, by its type")
    verb.add_argument("--damaged", choices=DAMAGED, default="refuse", help="skip: read what is around damage")
    verb.set_defaults(run=_info)

    verb = kinds.add_parser("profile", help="propose which topic plays which role")
    verb.add_argument("bag", type=Path)
    verb.set_defaults(run=_profile)

    verb = kinds.add_parser("check", help="how many seconds can be learned from, and why the rest cannot")
    verb.add_argument("bags", type=Path, nargs="+", metavar="BAG")
    verb.add_argument("--profile", type=Path, help="which topics play which role (default: wm's own)")
    verb.add_argument("--video", action="store_true", help="cameras and joints only")
    verb.add_argument("--damaged", choices=DAMAGED, default="refuse", help="skip: read what is around damage")
    verb.add_argument(
        "--out", type=Path, required=True, metavar="REPORT", help="folder for report.html and report.json"
    )
    verb.set_defaults(run=_check)

    verb = kinds.add_parser("repair", help="make a bag whole after a crash or damage; nothing of it is thrown away")
    verb.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="a rosbag2 folder of MCAP files")
    verb.set_defaults(run=_repair)


def _info(options: argparse.Namespace) -> int:
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


def _repair(options: argparse.Namespace) -> int:
    """Repair each bag and say how much was kept; returns 1 when one could not be."""
    refused = 0
    for path in options.bags:
        try:
            print(repair(path).describe())
        except (BagError, OSError) as error:
            refused += 1
            print(f"{path}: NOT REPAIRED\n  {error}", file=sys.stderr)
    return 1 if refused else 0


def _profile(options: argparse.Namespace) -> int:
    with Bag(options.bag) as bag:
        print(propose(bag, Kinematics(urdf_path()).joint_names), end="")
    return 0


def _check(options: argparse.Namespace) -> int:
    """Write the report; returns 1 when nothing of a bag can be used."""
    profile = Profile.load(options.profile) if options.profile else Profile.default()
    profile = profile.as_video() if options.video else profile
    checks = [check_bag(bag, profile, Kinematics(urdf_path()), options.damaged) for bag in options.bags]
    for check in checks:
        print(f"{check.bag}: {check.summary() if check.steps or check.refused else check.why_nothing()}")
    options.out.mkdir(parents=True, exist_ok=True)
    write_report(checks, options.out)
    print(f"written: {options.out / 'report.html'}, {options.out / 'report.json'}")
    return 0 if all(check.steps for check in checks) else 1


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
