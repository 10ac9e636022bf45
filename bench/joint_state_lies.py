"""How far from the arm's true path anything is sent while joint states lie."""

import argparse
import sys
from pathlib import Path
from typing import Any

from _common import flat, recorded, result_options, table, write_json
from _joint_state_lies import KINDS, stream
from _results import Line

PROTOCOL = """\
{streams} streams of 3 s from seed {seed}: planner's tool path, guard, trajectory controller and an arm that follows it with a lag of
30 ms, without ROS. True joint states come at 20, 50 or 100 Hz; beside them lies of one kind come at 5 to 200 Hz, some in bursts, from
the start or for a while (frozen_driver: for up to 0.4 s in their place). The planner moves at up to 0.3 m/s or holds; guard and planner
stop, hold and fall silent in between. Farthest: how far any point that was sent, by a command, hold, watchdog or emergency stop, lies
outside where the arm truly was in the last 0.3 s, where its controller was bringing it, and where the planner meant to bring it from
there."""
MOST = 0.1  # [rad]


COUNTS = ("lies", "believed", "sent", "passed", "held")
HEADER = ["kind of lie", "streams", *COUNTS, "farthest [rad]", "by"]


def streams_of(kind: str, first: int, count: int) -> dict[str, Any]:
    """What streams of one kind of lie came to: how often what happened, and the worst of them."""
    outcomes = [stream(seed, kind) for seed in range(first, first + count)]
    worst = max(outcomes, key=lambda outcome: outcome.farthest)
    by = max(worst.by, key=lambda what: worst.by[what], default="-")
    total = {name: sum(getattr(outcome, name) for outcome in outcomes) for name in COUNTS}
    return {"streams": count, **total, "farthest": worst.farthest, "by": by}


def tables(lines: list[Line]) -> str:
    found = {line["kind"]: line["result"] for line in lines}
    rows = [
        [kind, each["streams"], *(each[n] for n in COUNTS), each["farthest"], each["by"]]
        for kind, each in found.items()
    ]
    worst = max(rows, key=lambda row: row[-2])
    rows.append(["all", *(sum(column) for column in list(zip(*rows, strict=True))[1:-2]), *worst[-2:]])
    return table(HEADER, [[*map(str, row[:-2]), f"{row[-2]:.3f}", row[-1]] for row in rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--streams", type=int, default=10_000, help="streams in all, spread over the kinds of lies")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first stream of each kind; the next ones follow"
    )
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--json", type=Path, default=None, help="also write the table to this file")
    result_options(parser)
    args = parser.parse_args()
    each = -(-args.streams // len(KINDS))
    print(PROTOCOL.format(streams=each * len(KINDS), seed=args.seed) + "\n")
    results = recorded("joint_state_lies", args, "streams", "seed")
    calls = {(kind,): (kind, args.seed, each) for kind in KINDS}
    lines = list(results.run(streams_of, calls, ("kind",), args.workers))
    print(tables(lines))
    write_json(args.json, {"protocol": vars(args), "results": [flat(line, "kind") for line in lines]})
    return int(max(line["result"]["farthest"] for line in lines) > MOST)


if __name__ == "__main__":
    sys.exit(main())
