"""`./wm loop --demo`: the whole data loop in simulation, with a report."""

import argparse
import sys
from pathlib import Path

from wm_bringup.loop.demo import DemoSettings, demo


def main(arguments: list[str] | None = None) -> int:
    usual = DemoSettings()
    parser = argparse.ArgumentParser(
        prog="wm loop",
        description="Records an unknown world, fine-tunes the shipped bundle on it, judges, promotes and swaps it while the arm works."
        " Writes OUT/report.html and OUT/report.json; goes on where it was stopped. On a robot the same steps are ./wm record,"
        " ./wm bag check, ./wm finetune and ./wm promote.",
    )
    parser.add_argument("--demo", action="store_true", required=True, help="in simulation, all of it")
    parser.add_argument("--world", default=usual.world, help="name or file of the unknown world")
    parser.add_argument("--out", type=Path, default=usual.out)
    parser.add_argument("--minutes", type=float, default=usual.minutes, help="of robot time that are recorded")
    parser.add_argument("--goals", type=int, default=usual.goals, help="of the gate in each world")
    parser.add_argument("--old-episodes", type=int, default=usual.old_episodes, help="collected in each known world")
    parser.add_argument("--live-goals", type=int, default=usual.live_goals, help="pursued after the swap")
    parser.add_argument("--seed", type=int, default=usual.seed, help="of the collection")
    parser.add_argument("--workers", type=int, default=usual.workers)
    options = vars(parser.parse_args(arguments))
    del options["demo"]
    try:
        return 0 if demo(DemoSettings(**options)) else 1
    except (ValueError, OSError) as error:
        print(f"wm: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
