"""An object hidden from every camera during a push: how well does the belief know where it reappears?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import parser, run_all, table, write_json
from _episodes import loop

from wm_tasks.closed_loop import Step

MIN_PUSH = 0.02  # [m] episodes in which the object moved less while hidden are left out: nothing was pushed
PROTOCOL = """\
Protocol: closed loop, seeds {first} to {last}. From the first step in which the object moves more than 5 mm it is
hidden from every camera for {steps} steps of 0.1 s while the arm goes on. Error: believed against true position in the
last hidden frame. Episodes in which the object moved less than {least:.0f} cm meanwhile are left out."""


def hidden_push(world: str, seed: int, bundle: Path | None, planner: str, steps: int) -> dict[str, float] | None:
    """Hide the object for `steps` from the moment it is being pushed; distances [m] to the truth at reappearance.

    None when it was never pushed, or not while hidden.
    """
    since: list[int] = []

    def hide(index: int, trace: Sequence[Step]) -> bool:
        if not since and len(trace) > 1 and np.linalg.norm(trace[-1].object_xy - trace[-2].object_xy) > 0.005:
            since.append(index)
        return bool(since) and index < since[0] + steps

    result = loop(world, bundle, planner).episode(seed, hide=hide)
    if not since or since[0] + steps > len(result.trace):
        return None
    before, *unseen = result.trace[since[0] - 1 : since[0] + steps]
    last = unseen[-1]
    if np.linalg.norm(last.object_xy - before.object_xy) < MIN_PUSH:
        return None
    return {
        "seed": seed,
        "moved": float(np.linalg.norm(last.object_xy - before.object_xy)),
        "belief": float(np.linalg.norm(last.believed_xy - last.object_xy)),
        "frozen": float(np.linalg.norm(before.believed_xy - last.object_xy)),
        "visibility": float(np.mean([step.belief.visibility for step in unseen if step.belief is not None])),
    }


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.add_argument("--worlds", nargs="+", default=["tabletop_block", "tabletop_mug", "tabletop_disk"])
    options.add_argument("--planner", default="icem")
    options.add_argument("--steps", type=int, default=10, help="steps of 0.1 s without sight of the object")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(steps=args.steps, first=seeds[0], last=seeds[-1], least=100 * MIN_PUSH))
    calls = [(world, seed, args.bundle, args.planner, args.steps) for world in args.worlds for seed in seeds]
    found = list(run_all(hidden_push, calls, args.workers))
    rows, report = [], {}
    for i, world in enumerate(args.worlds):
        pushes = [push for push in found[i * len(seeds) : (i + 1) * len(seeds)] if push is not None]
        report[world] = pushes
        if not pushes:
            rows.append((world, 0, *["-"] * 7))
            continue
        columns = {key: 100 * np.array([push[key] for push in pushes]) for key in ("moved", "belief", "frozen")}
        errors = [f"{np.percentile(columns[key], q):.1f}" for key in ("belief", "frozen") for q in (50, 95)]
        within = f"{100 * np.mean(columns['belief'] <= 1.5):.0f} %"
        sight = f"{np.mean([push['visibility'] for push in pushes]):.2f}"
        rows.append((world, len(pushes), f"{np.median(columns['moved']):.1f}", *errors, within, sight))
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
    print("\n" + table(header, rows))
    write_json(args.json, {"protocol": vars(args), "results": report})


if __name__ == "__main__":
    main()
