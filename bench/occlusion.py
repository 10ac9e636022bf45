"""An object hidden from every camera during a push: how well does the belief know where it reappears?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import flat, groups, parser, recorded, shipped, table, write_json
from _episodes import loop
from _results import Line

from wm_tasks.closed_loop import Step

MIN_PUSH = 0.02  # [m] episodes in which the object moved less while hidden are left out: nothing was pushed
PROTOCOL = """\
Protocol: closed loop, seeds {first} to {last}. From the first step in which the object moves more than 5 mm it is
hidden from every camera for {steps} steps of 0.1 s while the arm goes on. Error: believed against true position in the
last hidden frame. Episodes in which the object moved less than 2 cm meanwhile are left out."""


def hidden_push(world: str, seed: int, bundle: Path | None, planner: str, steps: int) -> dict[str, Any]:
    """Hide the object for `steps` from the moment it is being pushed; distances [m] to the truth at reappearance.

    Nothing but that it was not `pushed` when it never was, or not while hidden.
    """
    since: list[int] = []

    def hide(index: int, trace: Sequence[Step]) -> bool:
        if not since and len(trace) > 1 and np.linalg.norm(trace[-1].object_xy - trace[-2].object_xy) > 0.005:
            since.append(index)
        return bool(since) and index < since[0] + steps

    result = loop(world, bundle, planner).episode(seed, hide=hide)
    if not since or since[0] + steps > len(result.trace):
        return {"pushed": False}
    before, *unseen = result.trace[since[0] - 1 : since[0] + steps]
    last = unseen[-1]
    if np.linalg.norm(last.object_xy - before.object_xy) < MIN_PUSH:
        return {"pushed": False}
    return {
        "pushed": True,
        "moved": float(np.linalg.norm(last.object_xy - before.object_xy)),
        "belief": float(np.linalg.norm(last.believed_xy - last.object_xy)),
        "frozen": float(np.linalg.norm(before.believed_xy - last.object_xy)),
        "visibility": float(np.mean([step.belief.visibility for step in unseen if step.belief is not None])),
    }


def pushes_of(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["result"]["pushed"]]


def row(world: str, lines: list[Line]) -> tuple[Any, ...]:
    pushes = [line["result"] for line in pushes_of(lines)]
    if not pushes:
        return (world, 0, *["-"] * 7)
    columns = {key: 100 * np.array([push[key] for push in pushes]) for key in ("moved", "belief", "frozen")}
    errors = [f"{np.percentile(columns[key], q):.1f}" for key in ("belief", "frozen") for q in (50, 95)]
    within = f"{100 * np.mean(columns['belief'] <= 1.5):.0f} %"
    sight = f"{np.mean([push['visibility'] for push in pushes]):.2f}"
    return (world, len(pushes), f"{np.median(columns['moved']):.1f}", *errors, within, sight)


def tables(lines: list[Line]) -> str:
    header = (
        "world",
        "pushes",
        "moved [cm]",
        "belief median [cm]",
        "p95",
        "frozen last sight median",
        "p95",
        "belief within 1.5 cm",
        "visibility while hidden",
    )
    return table(header, [row(world, found) for (world,), found in groups(lines, "world").items()])


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.add_argument("--worlds", nargs="+", default=["tabletop_block", "tabletop_mug", "tabletop_disk"])
    options.add_argument("--planner", default="icem")
    options.add_argument("--steps", type=int, default=10, help="steps of 0.1 s without sight of the object")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(steps=args.steps, first=seeds[0], last=seeds[-1]))
    calls = {
        (world, seed): (world, seed, args.bundle, args.planner, args.steps) for world in args.worlds for seed in seeds
    }
    bundle = args.bundle or shipped()
    results = recorded("occlusion", args, "planner", "steps", bundle=bundle)
    lines = list(results.run(hidden_push, calls, ("world", "seed"), args.workers))
    print("\n" + tables(lines))
    report = {
        world: [flat(line, "seed") for line in pushes_of(found)] for (world,), found in groups(lines, "world").items()
    }
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
