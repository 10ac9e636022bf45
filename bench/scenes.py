"""Tasks in scenes of several objects, from true poses with noise: learned model, the simulator as model, script, random."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import groups, most_frequent, parser, rate, recorded, run_cells, table, write_json
from _results import Line
from _scene_variants import MODELS, SETTINGS, VARIANTS

from wm_core.paths import bundles_dir, rig_path
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_core.scene_bundle import SceneBundle
from wm_core.sensor_spec import load_sensor
from wm_dynamics.scene_model import SceneModel
from wm_perception.scene.parts import parts_of
from wm_planner.scene.decision import SceneSettings
from wm_planner.scene.refine import Search
from wm_planner.scene.space import region_within
from wm_sim.scene_draw import FIXED_MASS
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import LIMIT, SceneTask, load_scene_task, scene_task_names
from wm_tasks.scenes.experts import RandomMotions, ScriptedExpert
from wm_tasks.scenes.loop import SceneLoop
from wm_tasks.scenes.physics_model import PhysicsModel
from wm_tasks.scenes.still_model import StillModel

SENSORS = {
    "wm by depth": "",
    "wm by noisy depth": "realistic",
}  # methods that see, and how their cameras differ from ideal ones
METHODS = {
    "wm": "proposals and search with the learned model",
    "wm by depth": "the same, objects seen by two cameras' depth in place of the truth with noise",
    "wm by noisy depth": "the same, with noise, holes, and cameras 5 mm and 0.5 degrees beside where they are thought to be",
    **VARIANTS,
    "physics": "the same planner with the simulator itself as the model, true friction and mass: fewer candidates, for they cost a second",
    "still": "the same planner with a model in which nothing moves",
    "scripted": "a script that sees the truth",
    "random": "random motions: the floor",
}
RIG = "two_cameras_fine"
FEW = SceneSettings(proposals=24, looks=1, search=Search(samples=10, iterations=1))
PROTOCOL = """\
Protocol: objects, start and goal are drawn from the episode's seed by the task's file, never solved already. Poses are the
simulator's with noise of 3 mm and 3 degrees in each axis (scripted: without; by depth: as seen in images of 256 x
256 pixels); no velocities; steps of 0.1 s; lockstep. The tool moves as planned, without guard and controller. Success: the planner
declares it within the task's time, and the truth agrees a second later with the hand 10 cm away: within the task's tolerances, what has
no goal moved less than the task says, nothing fallen over.
95 % Wilson intervals. Seeds {first} to {last}; seeds below 10000 are for training and tuning."""


def slippery(sim: SceneSim, rng: np.random.Generator) -> None:
    _each(sim, lambda slot: sim.set_friction(slot, 0.2))


def rough(sim: SceneSim, rng: np.random.Generator) -> None:
    _each(sim, lambda slot: sim.set_friction(slot, 4.0))


def heavy(sim: SceneSim, rng: np.random.Generator) -> None:
    _each(sim, lambda slot: sim.set_mass(slot, 5.0))


def _each(sim: SceneSim, change: Callable[[int], None]) -> None:
    for slot, body in enumerate(sim.objects):
        if body.body.mass < FIXED_MASS:
            change(slot)


def off_centre(task: SceneTask) -> SceneTask:
    return replace(task, world=replace(task.world, off_centre=1 / 3))


def fine(task: SceneTask) -> SceneTask:
    return replace(task, success=replace(task.success, tolerance=0.01))


Change = Callable[[SceneSim, np.random.Generator], None]  # of a scene after it was drawn
SAME = "as it is"
ROWS = ("task", "method", "change")  # each may be of another commit
# Of the scene after it was drawn; of the task before.
SCENES: dict[str, Change] = {
    "friction x0.2": slippery,
    "friction x4": rough,
    "mass x5": heavy,
}
TASKS: dict[str, Callable[[SceneTask], SceneTask]] = {"centre of mass off by a third": off_centre, "within 1 cm": fine}


@cache
def loop(task: str, method: str, change: str, bundle: Path, robot: str) -> SceneLoop:
    loaded = TASKS.get(change, lambda each: each)(load_scene_task(task))
    return loop_of(loaded, method, bundle, robot, SCENES.get(change))


def loop_of(task: SceneTask, method: str, bundle: Path, robot: str, change: Change | None = None) -> SceneLoop:
    """A task as a method plans for it."""
    arm = load_robot(robot)
    if method == "wm" or method in SENSORS or method in VARIANTS:
        model = SceneBundle.load(bundle)

        def learned(sim: SceneSim) -> SceneModel:
            model.check_hand(sim.hand)
            return MODELS.get(method, SceneModel)(model, np.concatenate(sim.world.table))

        settings = SETTINGS.get(method, lambda usual: usual)(SceneSettings())
        rig = None if method not in SENSORS else CameraRig.load(rig_path(RIG))
        if rig is not None and SENSORS[method]:
            rig = rig.with_sensor(load_sensor(SENSORS[method]))
        parts = None if rig is None else parts_of(bundle)
        adapt = method != "unadapted"
        return SceneLoop(task, learned, arm, settings=settings, adapt=adapt, change=change, rig=rig, parts=parts)
    if method == "physics":
        return SceneLoop(task, PhysicsModel, arm, settings=FEW, change=change)
    return SceneLoop(task, (lambda sim: StillModel()) if method == "still" else None, arm, change=change)


def episode(task: str, method: str, change: str, seed: int, bundle: Path, robot: str) -> dict[str, Any]:
    """One episode; a worker builds its loop once."""
    made = loop(task, method, change, bundle, robot)
    policies = {"scripted": lambda: scripted(made), "random": lambda: RandomMotions(LIMIT, seed)}
    result = made.episode(seed, policies[method]() if method in policies else None)
    return {
        "success": result.success,
        "declared": result.declared,
        "reason": result.reason,
        "steps": result.steps,
        "time_s": round(result.steps / 10, 1),
        "distance_m": round(result.distance, 5),
        "others_m": round(result.others, 5),
        "tilt_rad": round(result.tilted, 3),
        "plan_ms": [round(each, 2) for each in result.plan_ms],
    }


def scripted(made: SceneLoop) -> ScriptedExpert:
    """The script for a loop's task."""
    lower, upper = made.driver.lower, made.driver.upper
    return ScriptedExpert(made.sim.hand, lower, upper, LIMIT, made.task.axes, region_within(lower, upper))


def tables(lines: list[Line]) -> str:
    rows = []
    for (task, method, change), found in groups(lines, "task", "method", "change").items():
        results = [line["result"] for line in found]
        won = [each for each in results if each["success"]]
        times = np.concatenate([each["plan_ms"] for each in results]) if results else np.zeros(0)
        reasons = [each["reason"] for each in results if each["reason"]]
        rows.append(
            (
                task,
                method,
                change,
                rate(each["success"] for each in results),
                f"{np.median([each['time_s'] for each in won]):.1f}" if won else "-",
                f"{100 * np.mean([each['others_m'] < 0.02 for each in results]):.0f} %",
                f"{np.percentile(times, 50):.0f}, {np.percentile(times, 99):.0f}" if len(times) else "-",
                most_frequent(reasons),
            )
        )
    header = (
        "task",
        "method",
        "changed",
        "success",
        "time, median [s]",
        "others < 2 cm",
        "plan p50, p99 [ms]",
        "most frequent reason",
    )
    return table(header, rows)


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.set_defaults(bundle=bundles_dir() / "scene")
    options.add_argument("--tasks", nargs="+", default=scene_task_names())
    options.add_argument("--methods", nargs="+", default=["wm", "scripted", "random"], choices=list(METHODS))
    options.add_argument("--changes", nargs="+", default=[SAME], choices=[SAME, *SCENES, *TASKS], metavar="NAME")
    options.add_argument("--robot", default="panda", help="with a gripper")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1]))
    print("\n".join(f"{name}: {METHODS[name]}" for name in args.methods))
    calls = {
        (task, method, change, seed): (task, method, change, seed, args.bundle, args.robot)
        for change in args.changes
        for task in args.tasks
        for method in args.methods
        for seed in seeds
    }
    results = recorded("scenes", args, "robot", bundle=args.bundle, robot=False)
    lines = run_cells(results, episode, calls, ("task", "method", "change", "seed"), args.workers)
    print("\n" + tables(lines))
    write_json(args.json, {"protocol": vars(args), "lines": lines})


if __name__ == "__main__":
    main()
