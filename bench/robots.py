"""Success in closed loop of each robot with one bundle, which learned with one of them: the robot is data."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _common import flat, groups, parser, rate, recorded, shipped, table, write_json
from _episodes import PROTOCOL, SUMMARY, loop, row_of, summary
from _results import Line
from _variants import TURNED, turned

from wm_core.robot import DEFAULT_ROBOT, robot_names
from wm_core.task import DEFAULT_TASK
from wm_tasks.baselines import RandomPolicy
from wm_tasks.experts import make_expert

METHODS = {
    "wm": "the bundle as it is, from pixels and joints, with the robot's own rig, mask, kinematics and limits",
    "scripted": "scripted pusher, object position from the simulator",
    "random": "random motions: the floor",
}


def episode(world: str, robot: str, method: str, seed: int, bundle: Path | None, max_steps: int) -> dict[str, Any]:
    """The row of one episode, with the shares of its steps that the guard limited and refused, and in which the arm held."""
    closed = loop(world, bundle, "icem", robot=robot)
    policies = {"scripted": lambda: make_expert(closed.task), "random": lambda: RandomPolicy(seed)}
    policy = policies[method]() if method in policies else None
    result = closed.episode(seed, max_steps=max_steps, policy=policy)
    verdicts = [step.verdict for step in result.trace]
    return {
        **row_of(result),
        "reached": result.reached,
        "limited": verdicts.count("limited") / len(verdicts),
        "refused": verdicts.count("refused") / len(verdicts),
        "held": float(np.mean([not np.any(step.action) for step in result.trace])),
    }


def row(robot: str, method: str, lines: list[Line]) -> tuple[str, ...]:
    found = [line["result"] for line in lines]
    shares = (f"{100 * np.mean([each[name] for each in found]):.1f} %" for name in ("limited", "refused", "held"))
    mistaken = sum(each["reached"] and not each["success_2cm"] for each in found)
    return (robot, method, *summary(lines), *shares, str(mistaken))


def tables(lines: list[Line]) -> str:
    """A row a robot and method, then what each robot loses against the first, goal by goal."""
    header = ("robot", "method", *SUMMARY, "limited", "refused", "held", "wrongly thought reached")
    cells = groups(lines, "robot", "method")
    text = table(header, [row(*names, found) for names, found in cells.items()])
    (first, _), *_ = cells
    other = [(robot, found) for (robot, method), found in cells.items() if method == "wm" and robot != first]
    if ("wm" not in {method for _, method in cells}) or not other:
        return text
    reached = {line["seed"]: line["result"]["success_2cm"] for line in cells.get((first, "wm"), [])}
    rows = []
    for robot, found in other:
        both = [
            (reached[line["seed"]], line["result"]["success_2cm"], line["seed"])
            for line in found
            if line["seed"] in reached
        ]
        lost = [seed for before, now, seed in both if before and not now]
        won = [seed for before, now, seed in both if now and not before]
        rows.append((robot, rate(now for _, now, _ in both), len(lost), len(won), " ".join(map(str, lost)) or "-"))
    return text + "\n\n" + table(("robot", f"wm, goals tried by {first}", "lost", "won", "seeds lost"), rows)


def main() -> None:
    shipped_robots = [DEFAULT_ROBOT, *(name for name in robot_names() if name != DEFAULT_ROBOT)]
    options = parser(__doc__ or "", episodes=100)
    options.add_argument(
        "--robots",
        nargs="+",
        default=[*shipped_robots, DEFAULT_ROBOT + TURNED],
        help=f"names or profiles; NAME{TURNED}: all its links and joints renamed, its base turned by 90 degrees",
    )
    options.add_argument("--world", default="tabletop_block", help="name or world file")
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options.add_argument("--max-steps", type=int, default=100, help="steps of 0.1 s per episode")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(max_steps=args.max_steps, first=seeds[0], last=seeds[-1]))
    results = recorded("robots", args, "max_steps", bundle=args.bundle or shipped(), robot=False)
    with tempfile.TemporaryDirectory(prefix="wm_robots_") as work:
        calls = {}
        for robot in args.robots:
            base = robot.removesuffix(TURNED)
            profile = str(turned(base, Path(work) / robot)) if base != robot else robot
            for method in args.methods:
                for seed in seeds:
                    key = (DEFAULT_TASK, robot, args.world, method, seed)
                    calls[key] = (args.world, profile, method, seed, args.bundle, args.max_steps)
        lines = []
        for line in results.run(episode, calls, ("task", "robot", "world", "method", "seed"), args.workers):
            lines.append(line)
            if line["seed"] == seeds[-1]:
                print(" ".join(row(line["robot"], line["method"], lines[-args.episodes :])), flush=True)
    print("\n" + tables(lines))
    report = [
        {"robot": robot, "method": method, "episodes": [flat(line, "seed") for line in found]}
        for (robot, method), found in groups(lines, "robot", "method").items()
    ]
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
