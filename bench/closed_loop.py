"""Success in closed loop: worlds x methods, from pixels and joints only, with baselines beside it."""

from itertools import islice

from _common import parser, run_all, table, write_json
from _episodes import METHODS, PROTOCOL, SUMMARY, episode, summary

WORLDS = ("tabletop_block", "tabletop_mug", "tabletop_disk")


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.add_argument("--worlds", nargs="+", default=list(WORLDS), metavar="WORLD", help="names or world files")
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options.add_argument("--planner", default="icem", help="planner of wm, one_camera and true_state")
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(steps=args.max_steps, first=seeds[0], last=seeds[-1]))
    for method in args.methods:
        print(f"  {method}: {METHODS[method]}")
    settings = [(world, method) for world in args.worlds for method in args.methods]
    calls = [(*setting, seed, args.bundle, args.planner, args.max_steps) for setting in settings for seed in seeds]
    finished = run_all(episode, calls, args.workers)
    rows, report = [], []
    for world, method in settings:
        outcomes = list(islice(finished, args.episodes))
        rows.append((world, method, *summary(outcomes)))
        print(f"{world} {method}: {rows[-1][2]} within 2 cm", flush=True)
        report.append({"world": world, "method": method, "episodes": [outcome.row for outcome in outcomes]})
    print("\n" + table(("world", "method", *SUMMARY), rows))
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
