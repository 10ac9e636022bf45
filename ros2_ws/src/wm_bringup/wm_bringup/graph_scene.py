"""The description of the graph of scenes of several objects: `perception:=geometry`, or `truth`, the simulator's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wm_bringup.graph_checks import checked, params_files, robot_of
from wm_bringup.graph_parts import (
    Graph,
    Node,
    absolute,
    config,
    lifecycle_node,
    middleware,
    name_or_file,
    process,
    recorders,
    stop_file,
    supervisor,
)
from wm_bringup.launch_arguments import LaunchError
from wm_core.bundle import BundleError
from wm_core.hand import Hand
from wm_core.paths import bundles_dir
from wm_core.pose_noise import BY_DEPTH
from wm_core.robot import RobotProfile
from wm_core.scene_bundle import SceneBundle
from wm_core.task import DEFAULT_TASK, TaskError
from wm_planner.scene.refine import KINDS
from wm_sim.kinds import KindError
from wm_sim.scene_task import SceneTask, load_scene_task, scene_task_names
from wm_sim.scene_world import SceneWorld, load_scene_world
from wm_sim.world import WorldError

ORDER = ("wm_guard", "wm_perception", "wm_dynamics", "wm_planner", "wm_sim")
TRUTH, GEOMETRY = "truth", "geometry"
OF_SCENES = (GEOMETRY, TRUTH)  # perception:=
FINE_RIG = "two_cameras_fine"  # where none is named
NOT_WITH_SCENES = {"explore": "", "snapshot": "", "composed": "false"}  # and their defaults
NONE = "none"


def scene_graph(values: Mapping[str, str]) -> Graph:
    """Of the checked arguments of arm_sim.launch.py; raises LaunchError."""
    seeing = values["perception"]
    check_no_more(values, seeing)
    lockstep, seed = values["real_time"] == "false", int(values["seed"])
    profile, robot = robot_of(values["robot"])
    task, world = _task_and_world(values, profile)
    checked("task" if task else "world", lambda: world.check_reach(profile), WorldError)
    bundle = scene_bundle(values["bundle"], profile)
    check_search(values["planner"], seeing)
    clock, body = {"use_sim_time": lockstep}, {"robot": robot}
    rig = name_or_file(values["rig"]) or (FINE_RIG if seeing == GEOMETRY else "")
    of_task = str(task.path) if task else ""
    table = np.concatenate(world.table).astype(float).tolist()
    sim = {
        **body,
        "scene": True,
        "world": name_or_file(values["world"]) if task is None else "",
        "task": of_task,
        "rig": rig,
        "mode": "lockstep" if lockstep else "real_time",
        "seed": seed,
    }
    planner: dict[str, Any] = {"planner": values["planner"], "seed": seed, "lockstep": lockstep, "table": table}
    if len(world.fixture_boxes):
        planner["fixtures"] = world.fixture_boxes.reshape(-1).astype(float).tolist()
    nodes = [
        lifecycle_node("wm_sim", sim),
        lifecycle_node("wm_guard", {**body, "stop_file": stop_file(), **clock}),
        _perception(seeing, {**body, "bundle": bundle, **clock}, rig, seed),
        *believing({**body, **clock}, bundle, {"table": table}, planner | of_scene_task(task), seeing),
    ]
    if values["episodes"] != NONE:
        nodes.append(_episodes(values, task, robot, bundle, lockstep, clock))
    nodes += recorders(values, rig or world.rig, ORDER)
    recorded = values["record"] not in ("", "false")
    nodes.insert(len(ORDER), supervisor(nodes, ORDER, recorded=recorded, simulated=lockstep))
    namespace = values["namespace"].strip("/")
    files = [config("scene_sim.yaml"), *params_files(values["params_file"], nodes, namespace)]
    return Graph(tuple(nodes), tuple(files), namespace, values["log_level"], middleware())


def believing(
    body: Mapping[str, Any], bundle: str, dynamics: Mapping[str, Any], planner: Mapping[str, Any], seeing: str
) -> list[Node]:
    """The nodes behind perception, with what both share: `body`, of robot and clock, and the bundle."""
    noise = {"position_noise": BY_DEPTH.position, "rotation_noise": round(BY_DEPTH.rotation, 3)}
    shared = {name: value for name, value in body.items() if name == "use_sim_time"}
    return [
        _node(
            "wm_dynamics",
            "wm_scene_dynamics",
            "scene_node",
            {"bundle": bundle, **dynamics, **(noise if seeing == GEOMETRY else {}), **shared},
        ),
        _node("wm_planner", "wm_scene_planner", "scene_node", {**body, "bundle": bundle, **planner}),
    ]


def of_scene_task(task: SceneTask | None) -> dict[str, Any]:
    """Parameters of the planner that a task sets."""
    return {} if task is None else {"axes": ", ".join(task.axes), "timeout": task.time_limit}


def by_depth(
    body: Mapping[str, Any], rig: str, bundle: str, task: SceneTask | None, planner: Mapping[str, Any]
) -> list[Node]:
    """Perception, dynamics and planner of scenes that are seen by the cameras' depth, for a robot of one's own."""
    seeing = _perception(GEOMETRY, {**body, "bundle": bundle}, rig, 0)
    return [seeing, *believing(body, bundle, {}, {**planner, **of_scene_task(task)}, GEOMETRY)]


def _perception(seeing: str, parameters: dict[str, Any], rig: str, seed: int) -> Node:
    if seeing == TRUTH:
        return _node("wm_perception", "wm_perception_truth", "truth", {**parameters, "seed": seed})
    return _node("wm_perception", "wm_scene_perception", "scene_node", {**parameters, "rig": rig})


def refuse_scene_task(task: str) -> None:
    """A task about a scene needs to be given where objects are."""
    if task in scene_task_names():
        raise LaunchError(
            f"argument 'task': '{task}' is about a scene of several objects: give perception:=geometry, which sees them, or"
            " perception:=truth, too"
        )


def _task_and_world(values: Mapping[str, str], robot: RobotProfile) -> tuple[SceneTask | None, SceneWorld]:
    if values["task"] != DEFAULT_TASK:
        task = scene_task(values["task"], robot)
        return task, task.world
    if values["episodes"] != NONE:
        raise LaunchError(
            f"argument 'task': expected a task about a scene, one of {', '.join(scene_task_names())} or the path of"
            " a file; or episodes:=none and a world of sim_worlds/scenes, for goals of your own"
        )
    return None, checked("world", lambda: load_scene_world(name_or_file(values["world"])), WorldError, KindError)


def scene_task(value: str, robot: RobotProfile) -> SceneTask:
    """A task about a scene that a robot can do; raises LaunchError."""
    task = checked("task", lambda: load_scene_task(name_or_file(value)), TaskError, WorldError, KindError)
    if "grip" in task.axes and robot.gripper is None:
        raise LaunchError(
            f"argument 'task': '{task.name}' needs a gripper, robot '{robot.name}' has none; its profile says so"
        )
    return task


def check_no_more(values: Mapping[str, str], seeing: str) -> None:
    """Raises LaunchError for arguments of which scenes have nothing."""
    for argument, default in NOT_WITH_SCENES.items():
        if values.get(argument, default) != default:
            raise LaunchError(f"argument '{argument}': perception:={seeing} has none of it; leave it out")


def check_search(planner: str, seeing: str) -> None:
    """Raises LaunchError for a planner that scenes do not have."""
    if planner not in KINDS:
        raise LaunchError(
            f"argument 'planner': expected one of {', '.join(KINDS)} with perception:={seeing}, got '{planner}'"
        )


def scene_bundle(value: str, robot: RobotProfile) -> str:
    folder = absolute(value) if value else str(bundles_dir() / "scene")

    def fits() -> None:
        SceneBundle.load(folder).check_hand(Hand.of(robot))

    checked("bundle", fits, BundleError, OSError)
    return folder


def _node(name: str, executable: str, module: str, parameters: dict[str, Any]) -> Node:
    """A node with a life cycle under the name of its package, in a module beside the usual one."""
    return Node(name, executable, f"{name}.{module}", name, parameters, respawn=True)


def _episodes(
    values: Mapping[str, str], task: SceneTask | None, robot: str, bundle: str, lockstep: bool, clock: Mapping[str, Any]
) -> Node:
    assert task is not None
    count = int(values["episodes"] or 0)
    report = absolute(values["report"]) if values["report"] else ""
    given: dict[str, Any] = {
        "robot": robot,
        "episodes": count,
        "seed": int(values["seed"]),
        "task": str(task.path),
        "report": report,
        "bundle": bundle,
        "planner": values["planner"],
        "lockstep": lockstep,
        "perception": values["perception"],
        **clock,
    }
    return process("wm_tasks", "wm_scene_episodes", given, ends_all=bool(count))
