"""How far from the arm's true path anything is sent while joint states lie."""

import argparse
import sys
from itertools import product
from pathlib import Path

from _common import run_all, table, write_json
from _joint_state_lies import KINDS, Outcome, stream

PROTOCOL = """\
{streams} streams of 3 s from seed {seed}: planner's tool path, guard, trajectory controller and an arm that follows it with a lag of
30 ms, without ROS. True joint states come at 20, 50 or 100 Hz; beside them lies of one kind come at 5 to 200 Hz, some in bursts, from
the start or for a while (frozen_driver: for up to 0.4 s in their place). The planner moves at up to 0.3 m/s or holds; guard and planner
stop, hold and fall silent in between. Farthest: how far any point that was sent, by a command, hold, watchdog or emergency stop, lies
outside where the arm truly was in the last 0.3 s, where its controller was bringing it, and where the planner meant to bring it from
there."""
MOST = 0.1  # [rad]


def row(kind: str, outcomes: list[Outcome]) -> list[str]:
    """One line of the table."""
    worst = max(outcomes, key=lambda outcome: outcome.farthest)
    total = {name: sum(getattr(o, name) for o in outcomes) for name in ("lies", "believed", "sent", "passed", "held")}
    by = max(worst.by, key=lambda what: worst.by[what], default="-")
    return [kind, str(len(outcomes)), *map(str, total.values()), f"{worst.farthest:.3f}", by]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--streams", type=int, default=10_000, help="streams in all, spread over the kinds of lies")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first stream of each kind; the next ones follow"
    )
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--json", type=Path, default=None, help="also write every stream to this file")
    options = parser.parse_args()
    each = -(-options.streams // len(KINDS))
    jobs = list(product(range(options.seed, options.seed + each), KINDS))
    outcomes = list(run_all(stream, jobs, options.workers))
    print(PROTOCOL.format(streams=len(jobs), seed=options.seed) + "\n")
    rows = [row(kind, [outcome for outcome in outcomes if outcome.kind == kind]) for kind in KINDS]
    rows.append(row("all", outcomes))
    header = ["kind of lie", "streams", "lies", "believed", "sent", "passed", "held", "farthest [rad]", "by"]
    print(table(header, rows))
    write_json(options.json, {"outcomes": [vars(outcome) for outcome in outcomes]})
    return int(max(outcome.farthest for outcome in outcomes) > MOST)


if __name__ == "__main__":
    sys.exit(main())
