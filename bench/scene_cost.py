"""What one plan for a scene costs on one thread: one, four and six objects; with the learned model and with the simulator as model."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import groups, parser, rate, recorded, table, write_json
from _results import Line
from scenes import loop_of

from wm_core.paths import bundles_dir
from wm_planner.scene.decision import Mode
from wm_sim.scene_task import SceneTask, load_scene_task
from wm_tasks.scenes.loop import SceneLoop

OBJECTS = (1, 4, 6)
METHODS = {
    "wm": "two cycles of 56 proposals, one to decide, then 28 candidates of 12 steps by four members, twice with up to three objects",
    "physics": "the simulator as the model: 24 proposals in a cycle, then 10 candidates of 12 steps",
}
ROWS = ("method",)  # each may be of another commit
IMAGINING = {Mode.CHOOSE.value, Mode.PUSH.value}
PROTOCOL = """\
Protocol: the task push_past with as many objects, one of which has a goal. Counted are the cycles in which something is imagined, with
the time from belief to displacement. One process on one thread; the deadline of a cycle is not given, so nothing is cut short. Seeds
{first} to {last}."""


def crowded(count: int) -> SceneTask:
    """Pushing one of `count` objects to a place."""
    task = load_scene_task("push_past")
    first, other = task.objects[0], task.objects[1]
    others = tuple(replace(other, name=f"other_{number}") for number in range(1, count))
    return replace(task, objects=(first, *others), between=count > 1)


@cache
def loop(count: int, method: str, bundle: Path, robot: str) -> SceneLoop:
    return loop_of(crowded(count), method, bundle, robot)


def episode(count: int, method: str, seed: int, bundle: Path, robot: str) -> dict[str, Any]:
    result = loop(count, method, bundle, robot).episode(seed)
    spent = zip(result.plan_ms, result.modes, strict=True)
    return {
        "success": result.success,
        "time_s": round(result.steps / 10, 1),
        "plan_ms": [round(each, 2) for each, mode in spent if mode in IMAGINING],
    }


def tables(lines: list[Line]) -> str:
    rows = []
    for (count, method), found in groups(lines, "objects", "method").items():
        results = [line["result"] for line in found]
        spent = np.concatenate([each["plan_ms"] for each in results])
        p50, p99 = np.percentile(spent, (50, 99))
        row = (
            str(count),
            method,
            rate(each["success"] for each in results),
            f"{p50:.0f}",
            f"{p99:.0f}",
            str(len(spent)),
        )
        rows.append(row)
    return table(("objects", "method", "success", "plan p50 [ms]", "p99 [ms]", "cycles"), rows)


def main() -> None:
    options = parser(__doc__ or "", episodes=20)
    options.set_defaults(bundle=bundles_dir() / "scene", workers=1)
    options.add_argument("--methods", nargs="+", default=["wm"], choices=list(METHODS))
    options.add_argument("--robot", default="panda", help="with a gripper")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1]))
    print("\n".join(f"{name}: {METHODS[name]}" for name in args.methods))
    calls = {
        (count, method, seed): (count, method, seed, args.bundle, args.robot)
        for count in OBJECTS
        for method in args.methods
        for seed in seeds
    }
    results = recorded("scene_cost", args, "robot", bundle=args.bundle, robot=False)
    lines = list(results.run(episode, calls, ("objects", "method", "seed"), args.workers))
    print("\n" + tables(lines))
    write_json(args.json, {"protocol": vars(args), "lines": lines})


if __name__ == "__main__":
    main()
