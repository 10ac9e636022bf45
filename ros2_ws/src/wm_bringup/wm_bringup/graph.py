"""The one description of the graph that arm_sim starts. Read by the launch file and by the embedded runner alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_bringup.graph_parts import (
    Graph,
    absolute,
    bundle_folders,
    config,
    lifecycle_node,
    process,
    recorders,
    stop_file,
    supervisor,
)
from wm_bringup.launch_arguments import PICTURE, LaunchError, check_arguments
from wm_bringup.params_file import check_params_file
from wm_core.bundle import Bundle, BundleError
from wm_core.compatibility import FitError, check_fit, check_robot
from wm_core.robot import RobotError, load_robot, robot_names
from wm_core.task import TaskError, load_task
from wm_planner.policy import POLICY
from wm_sim.display import display_problem
from wm_sim.world import WorldError, load_world

WRITTEN_BESIDE = (".png", ".mp4")  # a report
NONE = "none"
# From the arm upwards; the simulator last, so that its first frames find everybody listening.
LIFECYCLE_ORDER = ("wm_guard", "wm_perception", "wm_dynamics", "wm_planner", "wm_sim")


def arm_sim(given: Mapping[str, str]) -> Graph:
    """The graph of arm_sim.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given)
    if values["explore"] and values["episodes"]:
        raise LaunchError("arguments 'explore' and 'episodes': expected one of them, got both; exploring has no goals")
    lockstep = values["real_time"] == "false"
    seed, world, rig = int(values["seed"]), values["world"], values["rig"] or _rig_of(values["world"])
    bundle, registry = bundle_folders(values["bundle"])
    robot = _robot(values["robot"], world)
    task = _task(values["task"], bundle, robot, world)
    if values["planner"] == POLICY and not (Path(bundle) / "policy.onnx").is_file():
        raise LaunchError(
            f"argument 'planner': expected a bundle with a policy, {bundle} has none; train one with ./wm policy, or choose another planner"
        )
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
        lifecycle_node("wm_guard", {"robot": robot, "stop_file": stop_file(), **clock}),
        lifecycle_node("wm_perception", {"robot": robot, "bundle": bundle, "rig": rig, **clock}),
        lifecycle_node("wm_dynamics", {"bundle": bundle, **clock}),
        lifecycle_node("wm_planner", planner),
        process(
            "wm_bringup",
            "wm_bundle_manager",
            {"bundle": bundle, "registry": registry, **clock},
            ends_all=False,
            respawn=True,
        ),
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
    environment = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(config("fastdds.xml"))}
    files, namespace = [config("arm_sim.yaml")], values["namespace"].strip("/")
    if values["params_file"]:
        set_here = [name for node in nodes for name in node.parameters]
        modules = {node.name: node.module for node in nodes}
        files.append(check_params_file(values["params_file"], modules, set_here, namespace))
    return Graph(tuple(nodes), tuple(files), namespace, values["log_level"], environment)


def _task(value: str, bundle: str, robot: str, world: str) -> str:
    """A task's name, or the absolute path of its file; refused where bundle, robot or world do not fit it."""
    try:
        loaded = Bundle.load(bundle)
    except BundleError as error:
        raise LaunchError(f"argument 'bundle': {error}") from error
    try:
        task = load_task(value)
        check_fit(task, loaded)
        check_robot(task, load_robot(robot))
        load_world(world).practised(task)
    except (TaskError, FitError) as error:
        raise LaunchError(f"argument 'task': {error}") from error
    return value if value == task.name else str(task.path)


def _rig_of(world: str) -> str:
    try:
        return load_world(world).rig
    except WorldError as error:
        raise LaunchError(f"argument 'world': {error}") from error


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


def _robot(value: str, world: str) -> str:
    """The robot, by name or absolute path of its profile, when its arm reaches what the world is about."""
    try:
        robot = load_robot(value)
    except RobotError as error:
        raise LaunchError(f"argument 'robot': {error}") from error
    try:
        load_world(world).check_reach(robot)
    except WorldError as error:
        raise LaunchError(f"argument 'world': {world}: {error}") from error
    return value if value in robot_names() else str(robot.file)


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
