"""Peers in one run: wm, the simulator as model, true and wrong, MuJoCo sampling, a script (see requirements-bench.txt)."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import groups, parser, rate, recorded, run_cells, table, write_json
from _results import Line
from scenes import FEW, loop_of, scripted

from wm_core.paths import bundles_dir
from wm_core.robot import load_robot
from wm_dynamics.scene_model import SceneFutures
from wm_sim.scene_task import LIMIT, load_scene_task
from wm_tasks.scenes.loop import SceneLoop
from wm_tasks.scenes.physics_model import PhysicsModel

METHODS = {
    "wm": "proposals and search with the learned model, from poses with noise; frictions and masses are not given",
    "physics": "the same planner with the simulator itself as the model: meshes, friction and mass are true, fewer candidates",
    "physics, wrong by 2": "the same with each object's friction and mass twice or half of what they are",
    "mujoco": "predictive sampling in MuJoCo with meshes, friction and mass, from true poses without noise",
    "scripted": "a script that sees the truth",
}
ROWS = ("task", "method")  # each may be of another commit
WRONG = 2.0
PROTOCOL = """\
Protocol: as in the benchmark `scenes`: the same starts, goals, time limits and judgement for all. What a method knows beyond that
stands beside its name. mujoco and scripted declare the goal within 65 % of its tolerances. Seeds {first} to {last}."""


class WrongPhysics(PhysicsModel):
    """The simulator, imagining with wrong frictions and masses."""

    def imagine(self, *given: Any, **named: Any) -> SceneFutures:
        factors = self._of_episode()
        try:
            self._change(factors)
            return super().imagine(*given, **named)
        finally:
            self._change(np.ones_like(factors))

    def _of_episode(self) -> np.ndarray:
        """Factors (K, 2) of friction and mass, the same for as long as the objects are."""
        drawn = np.random.default_rng([round(1e6 * each.body.mass) for each in self._sim.objects])
        return WRONG ** drawn.choice([-1.0, 1.0], (len(self._sim.objects), 2))

    def _change(self, factors: np.ndarray) -> None:
        for slot, (friction, mass) in enumerate(factors):
            self._sim.set_friction(slot, float(friction))
            self._sim.set_mass(slot, float(mass))


@cache
def loop(task: str, method: str, bundle: Path, robot: str) -> SceneLoop:
    loaded = load_scene_task(task)
    if method == "physics, wrong by 2":
        return SceneLoop(loaded, WrongPhysics, load_robot(robot), settings=FEW)
    return loop_of(loaded, method, bundle, robot)


def episode(task: str, method: str, seed: int, bundle: Path, robot: str) -> dict[str, Any]:
    """One episode; a worker builds its loop once."""
    made = loop(task, method, bundle, robot)
    policy: Any = None
    if method == "scripted":
        policy = scripted(made)
    elif method == "mujoco":
        from _mujoco_mpc import PredictiveSampling

        policy = PredictiveSampling(made.sim, made.driver.lower, made.driver.upper, LIMIT, seed)
    result = made.episode(seed, policy)
    times = policy.plan_ms if method == "mujoco" else result.plan_ms
    return {
        "success": result.success,
        "reason": result.reason,
        "time_s": round(result.steps / 10, 1),
        "others_m": round(result.others, 5),
        "plan_ms": [round(float(each), 2) for each in times],
    }


def tables(lines: list[Line]) -> str:
    rows = []
    for (task, method), found in groups(lines, "task", "method").items():
        results = [line["result"] for line in found]
        won = [each["time_s"] for each in results if each["success"]]
        times = np.concatenate([each["plan_ms"] for each in results])
        rows.append(
            (
                task,
                method,
                rate(each["success"] for each in results),
                f"{np.median(won):.1f}" if won else "-",
                f"{100 * np.mean([each['others_m'] < 0.02 for each in results]):.0f} %",
                f"{np.percentile(times, 50):.0f}, {np.percentile(times, 99):.0f}" if len(times) else "-",
            )
        )
    return table(("task", "method", "success", "time, median [s]", "others < 2 cm", "plan p50, p99 [ms]"), rows)


def main() -> None:
    options = parser(__doc__ or "", episodes=30)
    options.set_defaults(bundle=bundles_dir() / "scene")
    options.add_argument("--tasks", nargs="+", default=["push_place", "push_pose", "push_past", "two_poses"])
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    options.add_argument("--robot", default="panda", help="with a gripper")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1]))
    print("\n".join(f"{name}: {METHODS[name]}" for name in args.methods))
    calls = {
        (task, method, seed): (task, method, seed, args.bundle, args.robot)
        for task in args.tasks
        for method in args.methods
        for seed in seeds
    }
    results = recorded("peers", args, "robot", bundle=args.bundle, robot=False)
    lines = run_cells(results, episode, calls, ("task", "method", "seed"), args.workers)
    print("\n" + tables(lines))
    write_json(args.json, {"protocol": vars(args), "lines": lines})


if __name__ == "__main__":
    main()
