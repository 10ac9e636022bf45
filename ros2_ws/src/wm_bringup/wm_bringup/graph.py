"""The one description of the graph that arm_sim starts. Read by the launch file and by the embedded runner alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_bringup.graph_checks import bundle_folders, check_planner, checked, params_files, robot_of, silence_of, task_of
from wm_bringup.graph_parts import (
    Graph,
    absolute,
    bundle_manager,
    composed,
    config,
    lifecycle_node,
    middleware,
    name_or_file,
    process,
    recorders,
    stop_file,
    supervisor,
)
from wm_bringup.graph_scene import OF_SCENES, refuse_scene_task, scene_graph
from wm_bringup.launch_arguments import PICTURE, LaunchError, check_arguments
from wm_bringup.launch_files import tool_speed_of
from wm_core.params import ConfigError
from wm_core.robot import RobotProfile
from wm_core.task import TaskError
from wm_sim.display import display_problem
from wm_sim.world import WorldError, load_world

WRITTEN_BESIDE = (".png", ".mp4")  # a report
NONE = "none"
# From the arm upwards; the simulator last, so that its first frames find everybody listening.
LIFECYCLE_ORDER = ("wm_guard", "wm_perception", "wm_dynamics", "wm_planner", "wm_sim")


def arm_sim(given: Mapping[str, str]) -> Graph:
    """The graph of arm_sim.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given)
    if values["perception"] in OF_SCENES:
        return scene_graph(values)
    refuse_scene_task(values["task"])
    if values["explore"] and values["episodes"]:
        raise LaunchError("arguments 'explore' and 'episodes': expected one of them, got both; exploring has no goals")
    lockstep = values["real_time"] == "false"
    seed, world, rig = int(values["seed"]), values["world"], name_or_file(values["rig"]) or _rig_of(values["world"])
    bundle, registry = bundle_folders(values["bundle"])
    profile, robot = robot_of(values["robot"])
    check_reach(world, profile)
    loaded, task = task_of(values["task"], bundle, profile)
    checked("task", lambda: load_world(world).practised(loaded), TaskError)
    check_planner(values["planner"], bundle)
    no_window = _no_window(values["headless"])
    report = _report(values["report"])
    shown = {"no_window": no_window, "picture": _picture(values["picture"], no_window)}
    clock = {"use_sim_time": lockstep}
    sim = {
        "robot": robot,
        "world": world,
        "task": task,
        "rig": rig,
        "mode": "lockstep" if lockstep else "real_time",
        "seed": seed,
        "gui": not no_window,
    }
    planner = {
        "robot": robot,
        "bundle": bundle,
        "planner": values["planner"],
        "seed": seed,
        "lockstep": lockstep,
        "task": task,
        **clock,
    }
    episodes: dict[str, Any] = {
        "robot": robot,
        "episodes": int(values["episodes"].replace(NONE, "") or 0),
        "seed": seed,
        "world": world,
        "rig": rig,
        "report": report,
        "bundle": bundle,
        "lockstep": lockstep,
        "planner": values["planner"],
        "task": task,
        **shown,
        **clock,
    }
    explorer: dict[str, Any] = {
        "robot": robot,
        "minutes": float(values["explore"] or 0),
        "seed": seed,
        "world": world,
        "rig": rig,
        "report": report,
        "task": task,
        **shown,
        **clock,
    }
    nodes = [
        lifecycle_node("wm_sim", sim),
        lifecycle_node("wm_guard", {"robot": robot, "stop_file": stop_file(), **silence_of(loaded), **clock}),
        lifecycle_node("wm_perception", {"robot": robot, "bundle": bundle, "rig": rig, **clock}),
        lifecycle_node("wm_dynamics", {"bundle": bundle, **clock}),
        lifecycle_node("wm_planner", planner),
        bundle_manager(bundle, registry, **clock),
    ]
    if values["explore"]:
        nodes.append(process("wm_tasks", "wm_explorer", explorer, ends_all=bool(explorer["minutes"])))
    elif values["episodes"] != NONE:
        nodes.append(process("wm_tasks", "wm_episodes", episodes, ends_all=bool(episodes["episodes"])))
    nodes += recorders(values, rig, LIFECYCLE_ORDER)
    nodes.insert(
        len(LIFECYCLE_ORDER),
        supervisor(nodes, LIFECYCLE_ORDER, recorded=values["record"] not in ("", "false"), simulated=lockstep),
    )
    namespace = values["namespace"].strip("/")
    files = [config("arm_sim.yaml"), *params_files(values["params_file"], nodes, namespace)]
    planner["tool_speed"] = checked("params_file", lambda: tool_speed_of(files, profile), ConfigError)
    nodes = composed(nodes) if values["composed"] == "true" else nodes
    return Graph(tuple(nodes), tuple(files), namespace, values["log_level"], middleware())


def check_reach(world: str, robot: RobotProfile) -> None:
    """Raise LaunchError unless the arm reaches what the world is about."""
    loaded = checked("world", lambda: load_world(world), WorldError, OSError)
    try:
        loaded.check_reach(robot)
    except WorldError as error:
        raise LaunchError(f"argument 'world': {world}: {error}") from error


def _rig_of(world: str) -> str:
    return checked("world", lambda: load_world(world).rig, WorldError)


def _no_window(headless: str) -> str:
    """Why the simulator has no window; empty: it has one. Raises LaunchError where one is asked for that cannot be."""
    if headless == "true":
        return "headless:=true"
    problem = display_problem()
    if problem and headless == "false":
        raise LaunchError(f"argument 'headless': false needs a display: {problem}")
    return problem


def _picture(value: str, no_window: str) -> str:
    if value == "auto":
        return absolute(PICTURE) if no_window else ""
    return "" if value == "false" else absolute(value)  # ros2 launch takes no empty values


def _report(value: str) -> str:
    """The absolute path of a report that is not there yet; raises LaunchError."""
    if not value:
        return ""
    file = Path(absolute(value))
    if file.suffix in WRITTEN_BESIDE or file.is_dir():
        raise LaunchError(
            f"argument 'report': expected a file NAME.json, got {file}; PNG and MP4 are written beside it"
        )
    for there in (file, *(file.with_suffix(suffix) for suffix in WRITTEN_BESIDE)):
        if there.exists():
            raise LaunchError(f"argument 'report': expected a new file, {there} exists; reports are never overwritten")
    if not file.parent.parent.is_dir():
        raise LaunchError(
            f"argument 'report': expected a file in a folder that exists, {file.parent} does not; create it"
        )
    return str(file)
