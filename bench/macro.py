"""Temporal abstraction: horizon against error against cost of jumps beside single steps, open loop and in closed loop."""

import argparse
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from _common import FIRST_TEST_SEED, run_all, table, write_json
from _episodes import PROTOCOL, SUMMARY, Outcome, outcome_of, summary

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


def open_loop(bundle: Bundle, folder: Path, horizons: list[int]) -> Iterator[dict[str, Any]]:
    """Error and cost of each horizon that all of ENGINES can imagine."""
    data = Dataset.load(folder)
    means = beliefs(bundle, data)[0]
    engines = [RolloutEngine(bundle, **way) for way in ENGINES.values()]
    for steps in horizons:
        if all(engine.spans(engine.count(steps)).sum() == steps for engine in engines):
            yield {"steps": steps, "errors": errors(bundle, data, means, steps), "ms": cost(bundle, steps)}


@cache
def loop(plan: str, bundle: Path, world: str, budget_ms: float | None, unshaped: bool) -> ClosedLoop:
    """A loop of one row of the table: `plan` is how it imagines and how many steps."""
    kind, horizon = plan.split(":")
    budget = {} if budget_ms is None else {"budget_s": budget_ms / 1e3, "planner_params": {"iterations": 1000}}
    weights = {"approach": 0.0, "side": 0.0} if unshaped else None
    return ClosedLoop.load(world, bundle, horizon=int(horizon), macro=kind == "macro", weights=weights, **budget)


def episode(
    plan: str, bundle: Path, world: str, budget_ms: float | None, unshaped: bool, max_steps: int, seed: int
) -> Outcome:
    return outcome_of(loop(plan, bundle, world, budget_ms, unshaped).episode(seed, max_steps=max_steps))


def far_steps(outcomes: list[Outcome]) -> str:
    """Mean steps of the episodes that start far from their goal, and how many there are."""
    steps = [outcome.row["steps"] for outcome in outcomes if outcome.row["start_distance_m"] > FAR]
    return f"{np.mean(steps):.1f} ({len(steps)})" if steps else "-"


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
    args = options.parse_args()
    bundle = Bundle.load(args.bundle)
    print(f"bundle {bundle.id}: jumps of {bundle.spec['macro']['steps']} steps")
    found, rows = list(open_loop(bundle, args.data, args.horizons)) if args.horizons else [], []
    for row in found:
        cells = [f"{e.mean():.1f} / {np.median(e):.1f}" if len(e) else "-" for e in row["errors"].values()]
        rows.append((row["steps"], *cells, *(f"{ms:.2f}" for ms in row["ms"]), len(row["errors"]["macro"])))
    if rows:
        methods, times = (f"{name} [mm]" for name in ("copy-last", *ENGINES)), (f"{name} [ms]" for name in ENGINES)
        print(OPEN.format(data=args.data, candidates=CANDIDATES, repeats=REPEATS))
        print("\n" + table(("horizon [steps]", *methods, *times, "windows"), rows) + "\n")
    report: dict[str, Any] = {
        "protocol": vars(args),
        "open_loop": [{**row, "errors": {m: e.tolist() for m, e in row["errors"].items()}} for row in found],
        "closed_loop": [],
    }
    if args.episodes:
        seeds = range(args.seed, args.seed + args.episodes)
        print(PROTOCOL.format(steps=args.max_steps, first=seeds[0], last=seeds[-1]))
        budget = "" if args.budget_ms is None else f" as it can in {args.budget_ms} ms"
        unshaped = " The cost knows nothing of where a push starts." if args.unshaped else ""
        print(CLOSED.format(world=args.world, budget=budget, unshaped=unshaped))
        calls = [
            (plan, args.bundle, args.world, args.budget_ms, args.unshaped, args.max_steps, seed)
            for plan in args.plans
            for seed in seeds
        ]
        finished, rows = run_all(episode, calls, args.workers), []
        for plan in args.plans:
            outcomes = list(islice(finished, args.episodes))
            plans = np.concatenate([outcome.plans for outcome in outcomes])
            mean_steps = f"{np.mean([outcome.row['steps'] for outcome in outcomes]):.1f}"
            effort = [f"{value:.1f}" for value in np.median(plans[:, :2], axis=0)]
            rows.append((plan, *summary(outcomes), mean_steps, far_steps(outcomes), *effort))
            print(f"{plan}: {rows[-1][1]} within 2 cm", flush=True)
            report["closed_loop"].append({"plan": plan, "episodes": [outcome.row for outcome in outcomes]})
        far = f"mean steps from over {100 * FAR:.0f} cm (episodes)"
        print("\n" + table(("plan", *SUMMARY, "mean steps", far, "plan p50 [ms]", "candidates"), rows))
    write_json(args.json, report)


if __name__ == "__main__":
    main()
