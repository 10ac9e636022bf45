"""Success in closed loop: worlds x methods, from pixels and joints only, with baselines beside it."""

from _common import flat, groups, parser, recorded, shipped, table, write_json
from _episodes import METHODS, PROTOCOL, SUMMARY, episode, summary
from _results import Line

WORLDS = ("tabletop_block", "tabletop_mug", "tabletop_disk")


def tables(lines: list[Line]) -> str:
    found = groups(lines, "world", "method")
    return table(("world", "method", *SUMMARY), [(*names, *summary(cell)) for names, cell in found.items()])


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.add_argument("--worlds", nargs="+", default=list(WORLDS), metavar="WORLD", help="names or world files")
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options.add_argument("--planner", default="icem", help="planner of wm, one_camera and true_state")
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(max_steps=args.max_steps, first=seeds[0], last=seeds[-1]))
    for method in args.methods:
        print(f"  {method}: {METHODS[method]}")
    calls = {
        (world, method, seed): (world, method, seed, args.bundle, args.planner, args.max_steps)
        for world in args.worlds
        for method in args.methods
        for seed in seeds
    }
    bundle = args.bundle or shipped()
    results = recorded("closed_loop", args, "planner", "max_steps", bundle=bundle)
    lines = []
    for line in results.run(episode, calls, ("world", "method", "seed"), args.workers):
        lines.append(line)
        if line["seed"] == seeds[-1]:
            within = summary(lines[-args.episodes :])[0]
            print(f"{line['world']} {line['method']}: {within} within 2 cm", flush=True)
    print("\n" + tables(lines))
    report = [
        {"world": world, "method": method, "episodes": [flat(line, "seed") for line in cell]}
        for (world, method), cell in groups(lines, "world", "method").items()
    ]
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
