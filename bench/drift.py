"""The drift watch over runs of goals: false alarms in worlds that the bundle knows, time until the alarm in others."""

from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from _common import parser, run_all, table, write_json

from wm_dynamics.belief import VISIBLE
from wm_dynamics.drift import DriftWatch
from wm_tasks.closed_loop import ClosedLoop

KNOWN = ("tabletop_block", "tabletop_mug", "tabletop_disk")
UNKNOWN = ("tabletop_slippery", "tabletop_plate")
RUN = 5  # goals after one another; the watch begins anew with each run
PROTOCOL = """\
Goals from seeds {first} to {last} in each world, at most 100 steps, lockstep, in runs of {run}; the watch goes on from goal to
goal and begins anew with each run. An alarm: level above 1. Steps and seconds of robot
time until the alarm. Thresholds were tuned on seeds from 5000."""


@cache
def loop(world: str, bundle: Path | None) -> ClosedLoop:
    return ClosedLoop.load(world, bundle)


def watched(world: str, bundle: Path | None, seeds: tuple[int, ...]) -> tuple[int, float]:
    """One run of goals: steps and seconds until the alarm; -1 and NaN where there was none."""
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
                return count, count * step_ns / 1e9
    return -1, float("nan")


def main() -> None:
    options = parser(__doc__ or "", episodes=50)
    options.add_argument("--worlds", nargs="+", default=[*KNOWN, *UNKNOWN], help="names or world files")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1], run=RUN))
    runs = [tuple(seeds[i : i + RUN]) for i in range(0, len(seeds), RUN)]
    finished = run_all(watched, [(world, args.bundle, run) for world in args.worlds for run in runs], args.workers)
    rows, report = [], []
    for world in args.worlds:
        found = list(islice(finished, len(runs)))
        alarms = [(steps, seconds) for steps, seconds in found if steps >= 0]
        median = (
            (f"{np.median([a[0] for a in alarms]):.0f}", f"{np.median([a[1] for a in alarms]):.1f}")
            if alarms
            else ("", "")
        )
        rows.append((world, f"{len(seeds)}", f"{len(alarms)}/{len(runs)}", *median))
        report.append({"world": world, "runs": found})
    print("\n" + table(("world", "goals", "runs with an alarm", "median steps", "median seconds"), rows))
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
