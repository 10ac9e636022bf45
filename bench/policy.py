"""A bundle's policy: alone, with planning where it is not trusted, and as seed of a search that may try little, beside the planner."""

from collections import Counter
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from _common import parser, run_all, table, write_json
from _episodes import PROTOCOL, SUMMARY, Outcome, outcome_of, summary

from wm_tasks.closed_loop import ClosedLoop

FEW = {"samples": 8, "iterations": 1, "elites": 4}
METHODS: dict[str, dict[str, Any]] = {
    "icem": {"policy_seeds": "never"},
    "icem, seeded": {"policy_seeds": "always"},
    "policy": {"planner": "policy", "policy_trust": 1e3},
    "policy, icem in doubt": {"planner": "policy"},
    "few samples": {"policy_seeds": "never", "planner_params": FEW},
    "few samples, seeded": {"policy_seeds": "always", "planner_params": FEW},
}


@cache
def _loop(world: str, bundle: Path | None, method: str) -> ClosedLoop:
    return ClosedLoop.load(world, bundle, **METHODS[method])


def episode(world: str, bundle: Path | None, method: str, seed: int, max_steps: int) -> tuple[Outcome, Counter[str]]:
    """Outcome of one episode, and how many of its plans each planner made."""
    result = _loop(world, bundle, method).episode(seed, max_steps=max_steps)
    return outcome_of(result), Counter(step.planner for step in result.trace if step.plan is not None)


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.add_argument("--world", default="tabletop_block")
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    options.set_defaults(workers=1)
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(steps=args.max_steps, first=seeds[0], last=seeds[-1]))
    print(
        f"World {args.world}, from pixels; {args.workers} workers. Few samples: {FEW}. Decision: belief to joint motion."
    )
    calls = [(args.world, args.bundle, method, seed, args.max_steps) for method in args.methods for seed in seeds]
    finished = run_all(episode, calls, args.workers)
    rows, report = [], []
    for method in args.methods:
        outcomes, planners = zip(*islice(finished, args.episodes), strict=True)
        made = sum(planners, Counter())
        share = f"{100 * made['policy'] / max(1, made.total()):.0f} %"
        plans = np.concatenate([outcome.plans for outcome in outcomes])
        times = [f"{np.percentile(plans[:, 0], q):.2f}" for q in (50, 99)]
        rows.append((method, *summary(list(outcomes)), share, *times))
        print(f"{method}: {rows[-1][1]} within 2 cm, median {rows[-1][4]} steps", flush=True)
        report.append(
            {"method": method, "plans": made, "decision_ms": times, "episodes": [outcome.row for outcome in outcomes]}
        )
    print("\n" + table(("method", *SUMMARY, "by the policy", "decision p50 [ms]", "p99 [ms]"), rows))
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
