"""Every planner at equal time budget: success and plan time in one table."""

import numpy as np
from _common import flat, groups, parser, recorded, shipped, table, write_json
from _episodes import PROTOCOL, SUMMARY, episode, plans_of, summary
from _results import Line

PLANNERS = ("icem", "cem", "mppi", "gradient", "random")


def times(lines: list[Line]) -> list[str]:
    """Median and 99th percentile [ms] of all plans."""
    return [f"{np.percentile(plans_of(lines)[:, 0], q):.1f}" for q in (50, 99)]


def row(planner: str, lines: list[Line]) -> tuple[str, ...]:
    effort = [f"{value:.0f}" for value in np.median(plans_of(lines)[:, 1:], axis=0)]
    return (planner, *summary(lines), *times(lines), *effort)


def tables(lines: list[Line]) -> str:
    header = ("planner", *SUMMARY, "plan p50 [ms]", "p99 [ms]", "candidates", "iterations")
    return table(header, [row(planner, found) for (planner,), found in groups(lines, "planner").items()])


def main() -> None:
    options = parser(__doc__ or "", episodes=50)
    options.add_argument("--world", default="tabletop_block")
    options.add_argument("--planners", nargs="+", default=list(PLANNERS), choices=PLANNERS)
    options.add_argument("--budget-ms", type=float, default=25.0, help="time of each plan")
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(max_steps=args.max_steps, first=seeds[0], last=seeds[-1]))
    print(f"World {args.world}, from pixels. Every planner iterates for {args.budget_ms} ms; {args.workers} workers.")
    calls = {
        (args.world, planner, seed): (
            args.world,
            "wm",
            seed,
            args.bundle,
            planner,
            args.max_steps,
            args.budget_ms,
            True,
        )
        for planner in args.planners
        for seed in seeds
    }
    bundle = args.bundle or shipped()
    options_that_count = ("budget_ms", "max_steps", "workers")
    results = recorded("planners", args, *options_that_count, bundle=bundle)
    lines = []
    for line in results.run(episode, calls, ("world", "planner", "seed"), args.workers):
        lines.append(line)
        if line["seed"] == seeds[-1]:
            print(f"{line['planner']}: {summary(lines[-args.episodes :])[0]} within 2 cm", flush=True)
    print("\n" + tables(lines))
    report = [
        {"planner": planner, "episodes": [flat(line, "seed") for line in found], "plan_ms": times(found)}
        for (planner,), found in groups(lines, "planner").items()
    ]
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
