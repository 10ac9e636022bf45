"""Temporal abstraction: horizon against error against cost of jumps beside single steps, open loop and in closed loop."""

import argparse
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import FIRST_TEST_SEED, flat, groups, recorded, result_options, table, write_json
from _episodes import PROTOCOL, SUMMARY, plans_of, row_of, summary
from _results import Line, Results

from wm_core.bundle import Bundle
from wm_data.beliefs import beliefs
from wm_data.dataset import Dataset
from wm_dynamics.rollout import RolloutEngine
from wm_learning.figures.horizons import errors_after
from wm_tasks.closed_loop import ClosedLoop

HORIZONS = (4, 8, 12, 16, 24, 36, 48)  # steps
ENGINES: dict[str, dict[str, Any]] = {
    "steps": {},
    "jumps": {"macro": True, "near": 0},
    "macro": {"macro": True},  # as the planner uses it: steps, then jumps
}
PLANS = ("steps:12", "steps:24", "steps:36", "macro:24", "macro:36", "macro:48")
CANDIDATES = 64
REPEATS = 200
BATCH = 64
FAR = 0.20  # [m] from the goal at the start
OPEN = """\
Open loop, in single steps, in jumps, and as the planner does with macro: the first call of the rollout graph in steps, then in jumps.
Predicted from beliefs on {data}, never trained on, under the recorded actions; error: predicted against true object
position over windows in which the object moves at least 1 cm, mean / median. Cost: CPU time of one thread for {candidates}
candidates, median of {repeats} rollouts of each, one after the other in turns."""
CLOSED = """\
Closed loop: {world}, from pixels. The rows differ in horizon and in how it is imagined: every planner (icem) looks at as many
candidates{budget}.{unshaped}"""


def predictions(engine: RolloutEngine, data: Dataset, means: np.ndarray, starts: np.ndarray, steps: int) -> np.ndarray:
    """Object positions (n, 2) predicted `steps` steps after `starts` (n,)."""
    parts = []
    for i in range(0, len(starts), BATCH):
        part = starts[i : i + BATCH]
        actions = data.action[part[:, None] + np.arange(steps)]
        parts.append(engine.rollout(means[part][None], actions).mean_object()[:, -1].copy())
    return np.concatenate(parts)


def errors(bundle: Bundle, data: Dataset, means: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """Errors [mm] after `steps` steps by method; no windows where the episodes are too short."""
    starts = data.windows(steps + 2) + 1  # a belief, and one before it
    if not len(starts):
        return dict.fromkeys(("copy-last", *ENGINES), np.empty(0))
    now, before = means[starts, :2], means[starts - 1, :2]
    found = {}
    for name, options in ENGINES.items():
        predicted = predictions(RolloutEngine(bundle, **options), data, means, starts, steps)
        known = errors_after(steps, data, starts, predicted, now, before).of
        found |= {"copy-last": 1000 * known["copy_last"], name: 1000 * known["model"]}
    return found


def cost(bundle: Bundle, steps: int) -> list[float]:
    """[ms] of CPU time for CANDIDATES candidates by each of ENGINES, measured in turns."""
    actions = np.random.default_rng(0).uniform(-0.7, 0.7, (CANDIDATES, steps, bundle.action_size)).astype(np.float32)
    spent: list[tuple[RolloutEngine, list[float]]] = [(RolloutEngine(bundle, **way), []) for way in ENGINES.values()]
    for _ in range(REPEATS):
        for engine, times in spent:
            began = time.thread_time()
            engine.rollout(bundle.initial_mean, actions)
            times.append(time.thread_time() - began)
    return [1000 * float(np.median(times[5:])) for _, times in spent]


def open_loop(bundle: Bundle, data: Dataset, horizons: list[int], results: Results) -> Iterator[Line]:
    """Error and cost of each horizon that all of ENGINES can imagine."""
    means = beliefs(bundle, data)[0]
    engines = [RolloutEngine(bundle, **way) for way in ENGINES.values()]
    for steps in horizons:
        if all(engine.spans(engine.count(steps)).sum() == steps for engine in engines):
            key = {"part": "open loop", "data": data.fingerprint(), "horizon": steps}
            yield results.done(**key) or results.add(
                {"errors": described(errors(bundle, data, means, steps)), "ms": cost(bundle, steps)}, **key
            )


def described(found: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Mean and median [mm] and the number of windows of each method."""
    return {
        method: {"mean": float(e.mean()), "median": float(np.median(e)), "windows": len(e)}
        if len(e)
        else {"windows": 0}
        for method, e in found.items()
    }


@cache
def loop(plan: str, bundle: Path, world: str, budget_ms: float | None, unshaped: bool) -> ClosedLoop:
    """A loop of one row of the table: `plan` is how it imagines and how many steps."""
    kind, horizon = plan.split(":")
    budget = {} if budget_ms is None else {"budget_s": budget_ms / 1e3, "planner_params": {"iterations": 1000}}
    weights = {"approach": 0.0, "side": 0.0} if unshaped else None
    return ClosedLoop.load(world, bundle, horizon=int(horizon), macro=kind == "macro", weights=weights, **budget)


def episode(
    plan: str, bundle: Path, world: str, budget_ms: float | None, unshaped: bool, max_steps: int, seed: int
) -> dict[str, Any]:
    return row_of(loop(plan, bundle, world, budget_ms, unshaped).episode(seed, max_steps=max_steps), plans=True)


def far_steps(rows: list[dict[str, Any]]) -> str:
    """Mean steps of the episodes that start far from their goal, and how many there are."""
    steps = [row["steps"] for row in rows if row["start_distance_m"] > FAR]
    return f"{np.mean(steps):.1f} ({len(steps)})" if steps else "-"


def open_loop_table(lines: list[Line]) -> str:
    rows = []
    for line in lines:
        found = line["result"]["errors"].values()
        cells = [f"{e['mean']:.1f} / {e['median']:.1f}" if e["windows"] else "-" for e in found]
        windows = line["result"]["errors"]["macro"]["windows"]
        rows.append((line["horizon"], *cells, *(f"{ms:.2f}" for ms in line["result"]["ms"]), windows))
    methods, times = (f"{name} [mm]" for name in ("copy-last", *ENGINES)), (f"{name} [ms]" for name in ENGINES)
    return table(("horizon [steps]", *methods, *times, "windows"), rows)


def closed_loop_table(lines: list[Line]) -> str:
    rows = []
    for (plan,), found in groups(lines, "plan").items():
        results = [line["result"] for line in found]
        effort = [f"{value:.1f}" for value in np.median(plans_of(found)[:, :2], axis=0)]
        mean_steps = f"{np.mean([result['steps'] for result in results]):.1f}"
        rows.append((plan, *summary(found), mean_steps, far_steps(results), *effort))
    far = f"mean steps from over {100 * FAR:.0f} cm (episodes)"
    return table(("plan", *SUMMARY, "mean steps", far, "plan p50 [ms]", "candidates"), rows)


def tables(lines: list[Line]) -> str:
    parts = groups(lines, "part")
    makers = {"open loop": open_loop_table, "closed loop": closed_loop_table}
    return "\n\n".join(make(parts[part,]) for part, make in makers.items() if (part,) in parts)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--bundle", type=Path, required=True, help="folder of a bundle made by ./wm macro")
    options.add_argument("--data", type=Path, default=Path("runs/heldout"), help="dataset that it was not trained on")
    options.add_argument("--horizons", type=int, nargs="*", default=list(HORIZONS), help="[steps] of the open loop")
    options.add_argument("--episodes", type=int, default=50, help="of the closed loop, for each row; 0: none")
    options.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="seed of the first episode")
    options.add_argument("--plans", nargs="+", default=list(PLANS), help="steps:HORIZON and macro:HORIZON")
    options.add_argument("--world", default="tabletop_block")
    options.add_argument(
        "--budget-ms", type=float, default=None, help="time of each plan, in place of a number of candidates"
    )
    options.add_argument(
        "--unshaped",
        action="store_true",
        help="cost without approach and side: nothing but looking ahead leads around the object",
    )
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    options.add_argument("--workers", type=int, default=1, help="worker processes; use 1 to measure times")
    options.add_argument("--json", type=Path, default=None)
    result_options(options)
    args = options.parse_args()
    bundle = Bundle.load(args.bundle)
    print(f"bundle {bundle.id}: jumps of {bundle.spec['macro']['steps']} steps")
    options_that_count = ("budget_ms", "unshaped", "max_steps", "workers")
    results = recorded("macro", args, *options_that_count, bundle=args.bundle)
    found: list[Line] = []
    if args.horizons:
        found = list(open_loop(bundle, Dataset.load(args.data), args.horizons, results))
        print(OPEN.format(data=args.data, candidates=CANDIDATES, repeats=REPEATS))
        print("\n" + open_loop_table(found) + "\n")
    lines: list[Line] = []
    if args.episodes:
        seeds = range(args.seed, args.seed + args.episodes)
        print(PROTOCOL.format(max_steps=args.max_steps, first=seeds[0], last=seeds[-1]))
        budget = "" if args.budget_ms is None else f" as it can in {args.budget_ms} ms"
        unshaped = " The cost knows nothing of where a push starts." if args.unshaped else ""
        print(CLOSED.format(world=args.world, budget=budget, unshaped=unshaped))
        calls = {
            ("closed loop", args.world, plan, seed): (
                plan,
                args.bundle,
                args.world,
                args.budget_ms,
                args.unshaped,
                args.max_steps,
                seed,
            )
            for plan in args.plans
            for seed in seeds
        }
        for line in results.run(episode, calls, ("part", "world", "plan", "seed"), args.workers):
            lines.append(line)
            if line["seed"] == seeds[-1]:
                print(f"{line['plan']}: {summary(lines[-args.episodes :])[0]} within 2 cm", flush=True)
        print("\n" + closed_loop_table(lines))
    report = {
        "protocol": vars(args),
        "open_loop": [flat(line, "horizon") for line in found],
        "closed_loop": [
            {"plan": plan, "episodes": [flat(line, "seed") for line in each]}
            for (plan,), each in groups(lines, "plan").items()
        ],
    }
    write_json(args.json, report)


if __name__ == "__main__":
    main()
