"""Publish what a bag holds; with --check, find out whether the nodes still compute what was recorded.

With --check the real nodes are given what they were given, and what they answer is compared bit for bit: perception
gets the recorded images and joints, dynamics the recorded observations and what was executed, the planner the recorded
beliefs, joints, executed commands and goals, each in a process and a namespace of its own, over DDS, one step after the
other. So a difference is named where it arises. Durations that were measured are left out. Exit status 0: all is equal,
1: something is not, 2: it could not be compared.
"""

import argparse
import signal
import sys
from pathlib import Path

from wm_bags.replay.options import QOS, ReplayOptions, remappings
from wm_bags.storage.reading import DAMAGED
from wm_core.command_line import UsageError

ERROR_STATUS = 2  # 1: something is not equal
CLOCK_HZ = 40.0  # as ros2 bag play


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bag",
        type=Path,
        help="a rosbag2 folder of any storage; to check, one recorded with real_time:=false record:=BAG",
    )
    parser.add_argument("--check", action="store_true", help="compare instead of publishing")
    parser.set_defaults(publishing=_add_publishing(parser), checking=_add_checking(parser))


def _add_publishing(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    moments = "seconds into the bag, or seconds since 1970"
    group = parser.add_argument_group("publishing")
    return [
        group.add_argument(
            "--rate", type=float, default=1.0, metavar="N", help="bag seconds per second (0.001 to 1000)"
        ),
        group.add_argument(
            "--as-fast-as-possible",
            action="store_true",
            help="no pauses: every topic is reliable, and no topic's next message before every consumer has taken the last",
        ),
        group.add_argument(
            "--clock",
            type=float,
            nargs="?",
            const=CLOCK_HZ,
            default=0.0,
            metavar="HZ",
            help="publish /clock (default: 40 Hz)",
        ),
        group.add_argument("--loop", action="store_true", help="begin again at the end, until stopped"),
        group.add_argument("--start", default="", metavar="S", help=f"begin here: {moments}"),
        group.add_argument("--end", default="", metavar="S", help=f"end here, this time included: {moments}"),
        group.add_argument(
            "--remap", nargs="+", default=[], metavar="FROM:=TO", help="publish a topic under another name"
        ),
        group.add_argument("--topics", nargs="+", default=[], metavar="TOPIC", help="only these"),
        group.add_argument("--exclude", nargs="+", default=[], metavar="TOPIC", help="all but these"),
        group.add_argument(
            "--qos", choices=QOS, default="recorded", help="what to offer; recorded: as it was (default)"
        ),
        group.add_argument(
            "--damaged", choices=DAMAGED, default="refuse", help="skip: replay what can be read (default: refuse)"
        ),
        group.add_argument(
            "--delay",
            type=float,
            default=1.0,
            metavar="S",
            help="wait at most so long until every topic has a subscriber",
        ),
    ]


def _add_checking(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    group = parser.add_argument_group("with --check")
    return [
        group.add_argument(
            "--bundle", type=Path, nargs="+", default=[], help="folders of the bundles it was recorded with"
        ),
        group.add_argument(
            "--set",
            nargs="+",
            default=[],
            metavar="NODE.PARAMETER=VALUE",
            help="a parameter other than it was recorded",
        ),
    ]


def run(options: argparse.Namespace) -> int:
    """Returns 0 at the end and on Ctrl-C, 1 when a check found a difference."""
    for action in options.publishing if options.check else options.checking:
        if getattr(options, action.dest) != action.default:
            how = "without" if options.check else "with"
            raise UsageError(f"{action.option_strings[0]} goes {how} --check only")
    return _check(options) if options.check else _publish(options)


def _publish(options: argparse.Namespace) -> int:
    from wm_bags.replay.player import Player
    from wm_core.node_process import ignore_stop_signals

    choice = ReplayOptions(
        options.rate,
        options.as_fast_as_possible,
        options.clock,
        options.loop,
        options.start,
        options.end,
        remappings(options.remap),
        tuple(options.topics),
        tuple(options.exclude),
        options.qos,
        options.damaged,
        options.delay,
    )
    player = Player(options.bag, choice, lambda text: print(f"wm replay: {text}", flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: player.stop())
    outcome = player.run()
    ignore_stop_signals()
    print(f"wm replay: {outcome.summary(choice.flat_out)}")
    if outcome.mute:
        print(
            f"wm replay: delivered, but nobody knows whether it was taken: {', '.join(outcome.mute)} answer no requests"
        )
    return 0


def _check(options: argparse.Namespace) -> int:
    from wm_bags.replay.compare import MEASURED
    from wm_bringup.replay.check import check, settings
    from wm_bringup.replay.node_process import NodeError

    try:
        report = check(options.bag, options.bundle, settings(options.set))
    except NodeError as error:
        print(f"wm: {error}", file=sys.stderr)
        return ERROR_STATUS
    print(report.text())
    measured = ", ".join(f"{topic}.{name}" for topic, names in MEASURED.items() for name in names)
    print(f"{'equal' if report.good else 'NOT EQUAL'}, bit for bit, but for what was measured: {measured}")
    return 0 if report.good else 1
