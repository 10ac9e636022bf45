"""Every planner at equal time budget: success and plan time in one table."""

from itertools import islice

import numpy as np
from _common import parser, run_all, table, write_json
from _episodes import PROTOCOL, SUMMARY, episode, summary

PLANNERS = ("icem", "cem", "mppi", "gradient", "random")


def main() -> None:
    options = parser(__doc__ or "", episodes=50)
    options.add_argument("--world", default="tabletop_block")
    options.add_argument("--planners", nargs="+", default=list(PLANNERS), choices=PLANNERS)
    options.add_argument("--budget-ms", type=float, default=25.0, help="time of each plan")
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(steps=args.max_steps, first=seeds[0], last=seeds[-1]))
    print(f"World {args.world}, from pixels. Every planner iterates for {args.budget_ms} ms; {args.workers} workers.")
    calls = [
        (args.world, "wm", seed, args.bundle, planner, args.max_steps, args.budget_ms)
        for planner in args.planners
        for seed in seeds
    ]
    finished = run_all(episode, calls, args.workers)
    rows, report = [], []
    for planner in args.planners:
        outcomes = list(islice(finished, args.episodes))
        plans = np.concatenate([outcome.plans for outcome in outcomes])
        times = [f"{np.percentile(plans[:, 0], q):.1f}" for q in (50, 99)]
        effort = [f"{value:.0f}" for value in np.median(plans[:, 1:], axis=0)]
        rows.append((planner, *summary(outcomes), *times, *effort))
        print(f"{planner}: {rows[-1][1]} within 2 cm", flush=True)
        report.append({"planner": planner, "episodes": [outcome.row for outcome in outcomes], "plan_ms": times})
    header = ("planner", *SUMMARY, "plan p50 [ms]", "p99 [ms]", "candidates", "iterations")
    print("\n" + table(header, rows))
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
