"""`./wm replay BAG`: its options, and its end."""

import argparse
import signal
from pathlib import Path

from wm_bags.replay.choice import QOS, Choice, remappings
from wm_bags.replay.publish import Player
from wm_bags.storage.reading import DAMAGED
from wm_core.lifecycle import ignore_stop_signals

CLOCK_HZ = 40.0  # as ros2 bag play


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb `replay`."""
    parser = verbs.add_parser("replay", help="publish what a bag holds", description=__doc__)
    parser.add_argument("bag", type=Path, help="a rosbag2 folder of any storage")
    parser.add_argument("--rate", type=float, default=1.0, metavar="N", help="bag seconds per second (0.001 to 1000)")
    parser.add_argument(
        "--as-fast-as-possible",
        action="store_true",
        help="no pauses: every topic is reliable, and no topic's next message before every consumer has taken the last",
    )
    parser.add_argument(
        "--clock",
        type=float,
        nargs="?",
        const=CLOCK_HZ,
        default=0.0,
        metavar="HZ",
        help="publish /clock (default: 40 Hz)",
    )
    parser.add_argument("--loop", action="store_true", help="begin again at the end, until stopped")
    moments = "seconds into the bag, or seconds since 1970"
    parser.add_argument("--start", default="", metavar="S", help=f"begin here: {moments}")
    parser.add_argument("--end", default="", metavar="S", help=f"end here, this time included: {moments}")
    parser.add_argument("--remap", nargs="+", default=[], metavar="FROM:=TO", help="publish a topic under another name")
    parser.add_argument("--topics", nargs="+", default=[], metavar="TOPIC", help="only these")
    parser.add_argument("--exclude", nargs="+", default=[], metavar="TOPIC", help="all but these")
    parser.add_argument("--qos", choices=QOS, default="recorded", help="what to offer; recorded: as it was (default)")
    parser.add_argument(
        "--damaged", choices=DAMAGED, default="refuse", help="skip: replay what can be read (default: refuse)"
    )
    parser.add_argument(
        "--delay", type=float, default=1.0, metavar="S", help="wait at most so long until every topic has a subscriber"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replay; returns 0 at the end and on Ctrl-C. Raises ReplayError."""
    choice = Choice(
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
