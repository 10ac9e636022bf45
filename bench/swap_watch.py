"""False alarms of the live watch over a swapped bundle, and how soon a worse one is found."""

import argparse
import tempfile
from functools import cache
from itertools import islice
from pathlib import Path

from _bad_bundles import nonsense
from _common import FIRST_TEST_SEED, recorded, result_options, run_all, shipped, table, write_json
from _results import Line

from wm_bringup.swap_watch import ACCEPTED, WORSE, LiveErrors, judge
from wm_core.bundle import Bundle
from wm_tasks.closed_loop import ClosedLoop

PROTOCOL = """\
{goals} goals in {world} from seed {seed} with each bundle, in one process without ROS. The shipped bundle is swapped for itself before
every goal from the 5th on, with the errors of the goals before as reference (or, in brackets, with the bundle's own figure
alone), and watched until it is accepted or the goals end; every alarm is a false one. Then it is swapped, after every 5th goal, for
bundles that take every action for `gain` times as large: steps and goals until each is found."""
FIRST = 5  # goals before the first swap
Steps = list[tuple[int, float, float, bool, float]]  # stamp [ns], x, y [m], visible, error [m]


@cache
def loop(world: str, bundle: Path) -> ClosedLoop:
    return ClosedLoop.load(world, bundle)


def goal(world: str, bundle: Path, seed: int) -> Steps:
    """What the watch hears of one goal."""
    steps = []
    for step in loop(world, bundle).episode(seed).trace:
        seen, belief = step.observation, step.belief
        steps.append((step.stamp_ns, *map(float, seen.object_xy), seen.visibility > 0.5, float(belief.error)))
    return steps


def watch(goals: list[Steps], before: list[float], metric: float | None) -> tuple[str, int, int, str]:
    """Goals heard one after another -> verdict, steps and goals until then, its reason. Goals that fail are not counted here."""
    live, count = LiveErrors(), 0
    for number, steps in enumerate(goals, 1):
        for stamp, x, y, visible, error in steps:
            count += 1
            live.observe(stamp, x, y, visible)
            live.add(stamp, error)
            if len(live.all) % 10 == 0 and (found := judge(live, before, metric)).verdict in (WORSE, ACCEPTED):
                return found.verdict, count, number, found.text
    return "watching", count, len(goals), ""


def moving(goals: list[Steps]) -> list[float]:
    """The newest errors on moving steps after some goals."""
    live = LiveErrors()
    for steps in goals:
        for stamp, x, y, visible, error in steps:
            live.observe(stamp, x, y, visible)
            live.add(stamp, error)
    return list(live.moving)


def tables(lines: list[Line]) -> str:
    """The newest run."""
    found = lines[-1]["result"]
    counts = {kind: sum(each[0] == kind for each in found["same"]) for kind in (WORSE, ACCEPTED, "watching")}
    false = [each for each in found["same"] + found["alone"] if each[0] == WORSE]
    text = (
        f"{len(found['same'])} swaps for itself: {counts[WORSE]} [{len(false) - counts[WORSE]}] false alarms,"
        f" {counts[ACCEPTED]} accepted, {counts['watching']} watched to the end\n"
    )
    text += "".join(f"  {each[3]}\n" for each in false)
    header = ("gain", "error, moving [mm]", "found", "after steps", "goals at most")
    own = f"mean error on moving steps of the shipped bundle: {found['moving_mm']:.1f} mm"
    return f"{text}{own}\n\n{table(header, found['bad'])}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--goals", type=int, default=200)
    parser.add_argument("--bad-goals", type=int, default=20, help="with each bad bundle")
    parser.add_argument("--gain", type=float, nargs="+", default=[0.2, 0.5, 0.7, 1.4, 2.0, 4.0])
    parser.add_argument("--world", default="tabletop_block")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    print(PROTOCOL.format(goals=options.goals, world=options.world, seed=options.seed, first=FIRST) + "\n")
    good_bundle = shipped()
    options_that_count = ("goals", "bad_goals", "gain", "world", "seed")
    results = recorded("swap_watch", options, *options_that_count, bundle=good_bundle)
    metric = Bundle.load(good_bundle).spec["metrics"]["open_loop_moving_mm"]["model"]["1"] / 1000
    with tempfile.TemporaryDirectory(prefix="wm_swap_watch_") as work:
        bad = {gain: nonsense(good_bundle, Path(work) / f"{gain:g}", gain) for gain in options.gain}
        seeds = range(options.seed, options.seed + options.goals)
        calls = [(options.world, good_bundle, seed) for seed in seeds]
        calls += [(options.world, folder, seed) for folder in bad.values() for seed in seeds[: options.bad_goals]]
        finished = run_all(goal, calls, options.workers)
        good = list(islice(finished, options.goals))
        swaps = range(FIRST, options.goals)
        same = [watch(good[i:], moving(good[:i]), metric) for i in swaps]
        alone = [watch(good[i:], [], metric) for i in swaps]
        rows = []
        for gain in bad:
            worse = list(islice(finished, options.bad_goals))
            own = moving(worse)
            found = [watch(worse, moving(good[:i]), metric) for i in swaps[::FIRST]]
            alarms = [f for f in found if f[0] == WORSE]
            rows.append(
                (
                    gain,
                    f"{1000 * sum(own) / max(1, len(own)):.1f}",
                    f"{len(alarms)} of {len(found)}",
                    f"{min(f[1] for f in alarms)} to {max(f[1] for f in alarms)}" if alarms else "",
                    f"{max(f[2] for f in alarms)}" if alarms else "",
                )
            )
    own = moving(good)
    report = {"same": same, "alone": alone, "bad": rows, "moving_mm": 1000 * sum(own) / len(own)}
    print(tables([results.add(report)]))
    write_json(options.json, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
