"""The drift watch over runs of goals: false alarms in worlds that the bundle knows, time until the alarm in others."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import groups, parser, recorded, shipped, table, write_json
from _results import Line

from wm_dynamics.belief import VISIBLE
from wm_dynamics.drift import DriftWatch
from wm_tasks.closed_loop import ClosedLoop

KNOWN = ("tabletop_block", "tabletop_mug", "tabletop_disk")
UNKNOWN = ("tabletop_slippery", "tabletop_plate")
RUN = 5  # goals after one another; the watch begins anew with each run
MEDIANS = {"steps": 0, "seconds": 1}  # until the alarm, with digits
PROTOCOL = """\
Goals from seeds {first} to {last} in each world, at most 100 steps, lockstep, in runs of 5; the watch goes on from goal to
goal and begins anew with each run. An alarm: level above 1. Steps and seconds of robot
time until the alarm. Thresholds were tuned on seeds from 5000."""


@cache
def loop(world: str, bundle: Path | None) -> ClosedLoop:
    return ClosedLoop.load(world, bundle)


def watched(world: str, bundle: Path | None, seeds: tuple[int, ...]) -> dict[str, Any]:
    """One run of goals, and steps and seconds until the alarm, -1 and NaN where there was none."""
    closed = loop(world, bundle)
    step_ns = round(1e9 * closed.bundle.step_duration)
    watch = DriftWatch(closed.bundle.moving_error, step_ns)
    count = 0
    for seed in seeds:
        for step in closed.episode(seed).trace:
            if step.observation is None or step.belief is None:
                continue
            seen = step.observation.object_xy if step.observation.visibility > VISIBLE else None
            state = watch.update(step.stamp_ns, step.belief.error, seen, step.belief.restarted)
            count += 1
            if state.level > 1:
                return {"goals": len(seeds), "steps": count, "seconds": count * step_ns / 1e9}
    return {"goals": len(seeds), "steps": -1, "seconds": float("nan")}


def row(world: str, lines: list[Line]) -> tuple[str, ...]:
    runs = [line["result"] for line in lines]
    alarms = [run for run in runs if run["steps"] >= 0]
    median = ["", ""]
    if alarms:
        median = [f"{np.median([run[name] for run in alarms]):.{digits}f}" for name, digits in MEDIANS.items()]
    return (world, f"{sum(run['goals'] for run in runs)}", f"{len(alarms)}/{len(runs)}", *median)


def tables(lines: list[Line]) -> str:
    header = ("world", "goals", "runs with an alarm", *(f"median {name}" for name in MEDIANS))
    return table(header, [row(world, found) for (world,), found in groups(lines, "world").items()])


def main() -> None:
    options = parser(__doc__ or "", episodes=50)
    options.add_argument("--worlds", nargs="+", default=[*KNOWN, *UNKNOWN], help="names or world files")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1]))
    runs = [tuple(seeds[i : i + RUN]) for i in range(0, len(seeds), RUN)]
    calls = {(world, run): (world, args.bundle, run) for world in args.worlds for run in runs}
    results = recorded("drift", args, bundle=args.bundle or shipped())
    lines = list(results.run(watched, calls, ("world", "seeds"), args.workers))
    print("\n" + tables(lines))
    report = [
        {"world": world, "runs": [(line["result"]["steps"], line["result"]["seconds"]) for line in found]}
        for (world,), found in groups(lines, "world").items()
    ]
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
