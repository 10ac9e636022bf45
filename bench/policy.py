"""A bundle's policy: alone, with planning where it is not trusted, and as seed of a search that may try little, beside the planner."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import flat, groups, parser, recorded, shipped, table, write_json
from _episodes import PROTOCOL, SUMMARY, plans_of, row_of, summary
from _results import Line

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


def episode(world: str, bundle: Path | None, method: str, seed: int, max_steps: int) -> dict[str, Any]:
    """The row of one episode, with how many of its plans each planner made."""
    result = _loop(world, bundle, method).episode(seed, max_steps=max_steps)
    made = Counter(step.planner for step in result.trace if step.plan is not None)
    return {**row_of(result, plans=True), "planners": made}


def planners_of(lines: list[Line]) -> Counter[str]:
    """How many plans each planner made."""
    return sum((Counter(line["result"]["planners"]) for line in lines), Counter())


def times(lines: list[Line]) -> list[str]:
    """Median and 99th percentile [ms] of all decisions."""
    return [f"{np.percentile(plans_of(lines)[:, 0], q):.2f}" for q in (50, 99)]


def row(method: str, lines: list[Line]) -> tuple[str, ...]:
    made = planners_of(lines)
    return (method, *summary(lines), f"{100 * made['policy'] / max(1, made.total()):.0f} %", *times(lines))


def tables(lines: list[Line]) -> str:
    header = ("method", *SUMMARY, "by the policy", "decision p50 [ms]", "p99 [ms]")
    return table(header, [row(method, found) for (method,), found in groups(lines, "method").items()])


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.add_argument("--world", default="tabletop_block")
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    options.set_defaults(workers=1)
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(max_steps=args.max_steps, first=seeds[0], last=seeds[-1]))
    print(
        f"World {args.world}, from pixels; {args.workers} workers. Few samples: {FEW}. Decision: belief to joint motion."
    )
    calls = {
        (args.world, method, seed): (args.world, args.bundle, method, seed, args.max_steps)
        for method in args.methods
        for seed in seeds
    }
    bundle = args.bundle or shipped()
    results = recorded("policy", args, "max_steps", "workers", bundle=bundle)
    lines = []
    for line in results.run(episode, calls, ("world", "method", "seed"), args.workers):
        lines.append(line)
        if line["seed"] == seeds[-1]:
            found = row(line["method"], lines[-args.episodes :])
            print(f"{found[0]}: {found[1]} within 2 cm, median {found[4]} steps", flush=True)
    print("\n" + tables(lines))
    report = [
        {
            "method": method,
            "plans": planners_of(found),
            "decision_ms": times(found),
            "episodes": [flat(line, "seed") for line in found],
        }
        for (method,), found in groups(lines, "method").items()
    ]
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
