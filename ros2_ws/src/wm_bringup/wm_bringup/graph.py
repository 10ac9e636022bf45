"""The one description of the graph that arm_sim starts. Read by the launch file and by the embedded runner alike."""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from wm_bringup.launch_arguments import PICTURE, LaunchError, check_arguments
from wm_bringup.params_file import check_params_file
from wm_bringup.supervision.ends import GAVE_UP
from wm_core.bundle import Bundle, BundleError
from wm_core.compatibility import FitError, check_fit, check_robot
from wm_core.paths import bundles_dir, share
from wm_core.registry import Registry
from wm_core.robot import RobotError, load_robot, robot_names
from wm_core.task import TaskError, load_task
from wm_planner.policy import POLICY
from wm_sim.display import display_problem
from wm_sim.world import WorldError, load_world

WRITTEN_BESIDE = (".png", ".mp4")  # a report
NONE = "none"
PROMOTED = "promoted"  # the registry says which
# From the arm upwards; the simulator last, so that its first frames find everybody listening.
LIFECYCLE_ORDER = ("wm_guard", "wm_perception", "wm_dynamics", "wm_planner", "wm_sim")


@dataclass(frozen=True)
class Node:
    """One process of the graph.

    `respawn`: it is started again when it ends, other than with a status of `final` or with CANNOT_RUN (supervision/ends.py).
    `ends_all`: an end after which it is not started again brings everything down, and its exit status becomes the launch's: of a
    node that the arm needs, of the supervisor that gave up, and of what was asked for (episodes:=N, explore:=MINUTES): done or
    failed, there is nothing left to do. A client that runs beside the arm without end is none of them: that it failed is
    reported, and the arm's nodes go on.
    """

    package: str
    executable: str
    module: str  # python -m this, where no executable is installed
    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    ends_all: bool = True
    respawn: bool = False
    final: tuple[int, ...] = ()


@dataclass(frozen=True)
class Graph:
    """What is started: nodes, parameter files (later ones win, overrides last), environment."""

    nodes: tuple[Node, ...]
    params_files: tuple[Path, ...]
    namespace: str
    log_level: str
    environment: dict[str, str]

    @property
    def remappings(self) -> tuple[tuple[str, str], ...]:
        """rclpy listens to the absolute /clock; in a namespace the simulator's clock is there."""
        return (("/clock", "clock"),) if self.namespace else ()


def arm_sim(given: Mapping[str, str]) -> Graph:
    """The graph of arm_sim.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given)
    if values["explore"] and values["episodes"]:
        raise LaunchError("arguments 'explore' and 'episodes': expected one of them, got both; exploring has no goals")
    lockstep = values["real_time"] == "false"
    seed, world, rig = int(values["seed"]), values["world"], values["rig"] or _rig_of(values["world"])
    bundle, registry = _bundle(values["bundle"])
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
        _node("wm_sim", sim),
        _node("wm_guard", {"robot": robot, "stop_file": _stop_file(), **clock}),
        _node("wm_perception", {"robot": robot, "bundle": bundle, "rig": rig, **clock}),
        _node("wm_dynamics", {"bundle": bundle, **clock}),
        _node("wm_planner", planner),
        _process(
            "wm_bringup",
            "wm_bundle_manager",
            {"bundle": bundle, "registry": registry, **clock},
            ends_all=False,
            respawn=True,
        ),
    ]
    if values["explore"]:
        nodes.append(_process("wm_tasks", "wm_explorer", explorer, ends_all=bool(explorer["minutes"])))
    elif values["episodes"] != NONE:
        nodes.append(_process("wm_tasks", "wm_episodes", episodes, ends_all=bool(episodes["episodes"])))
    nodes += _recorders(values, rig)
    nodes.insert(
        len(LIFECYCLE_ORDER), _supervisor(nodes, recorded=values["record"] not in ("", "false"), simulated=lockstep)
    )
    environment = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(config("fastdds.xml"))}
    files, namespace = [config("arm_sim.yaml")], values["namespace"].strip("/")
    if values["params_file"]:
        set_here = [name for node in nodes for name in node.parameters]
        modules = {node.name: node.module for node in nodes}
        files.append(check_params_file(values["params_file"], modules, set_here, namespace))
    return Graph(tuple(nodes), tuple(files), namespace, values["log_level"], environment)


def _node(package: str, parameters: dict[str, Any]) -> Node:
    return Node(package, package, f"{package}.node", package, parameters, respawn=True)


def _process(
    package: str,
    name: str,
    parameters: dict[str, Any],
    ends_all: bool = True,
    respawn: bool = False,
    final: tuple[int, ...] = (),
) -> Node:
    """A node in a module of its own name, beside others of its package."""
    return Node(package, name, f"{package}.{name.removeprefix('wm_')}", name, parameters, ends_all, respawn, final)


def _supervisor(nodes: list[Node], recorded: bool, simulated: bool) -> Node:
    watched = [node.name for node in nodes if node.respawn and node.name not in LIFECYCLE_ORDER]
    parameters: dict[str, Any] = {"nodes": list(LIFECYCLE_ORDER), "recorded": recorded, "simulated_time": simulated}
    if watched:  # an empty list has no type
        parameters["watched"] = watched
    return _process("wm_bringup", "wm_lifecycle_manager", parameters, respawn=True, final=(0, GAVE_UP))


def _bundle(value: str) -> tuple[str, str]:
    """Folders of the bundle to start with and of the registry to follow; the latter empty: none."""
    if value != PROMOTED:
        return _folder("bundle", value, "bundle.yaml") or str(bundles_dir() / "default"), ""
    try:
        registry = Registry()
        return str(registry.path(registry.promoted().id)), str(registry.folder)
    except (ValueError, OSError) as error:
        raise LaunchError(f"argument 'bundle': {error}") from error


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
        return _path(PICTURE) if no_window else ""
    return "" if value == "false" else _path(value)  # ros2 launch takes no empty values


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
    file = Path(_path(value))
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


def _path(value: str) -> str:
    return str(Path(value).expanduser().absolute()) if value else ""


def _recorders(values: Mapping[str, str], rig: str) -> list[Node]:
    """The recorder that is asked for, or none."""
    if values["record"] and values["snapshot"]:
        raise LaunchError("arguments 'record' and 'snapshot': expected one of them, got both; record has it all")
    for argument in ("record", "snapshot"):
        value = values[argument]
        if value in ("", "false"):
            continue
        folder = _path(value if value != "true" else datetime.now().strftime("bags/%Y_%m_%d-%H_%M_%S"))
        if argument == "record" and Path(folder).exists():
            raise LaunchError(
                f"argument 'record': expected a new folder, {folder} exists; recordings are never overwritten"
            )
        parameters: dict[str, Any] = {"folder": folder, "rig": rig, "nodes": list(LIFECYCLE_ORDER), "beside": True}
        if argument == "snapshot":
            # Every reset of the simulator makes the guard hold: that is no surprise here.
            parameters |= {"mode": "snapshot", "triggers": ["drift", "e_stop", "person"]}
        return [Node("wm_bags", "wm_recorder", "wm_bags.record.recorder", "wm_recorder", parameters, respawn=True)]
    return []


def config(name: str) -> Path:
    """A file of wm_bringup/config."""
    return share("wm_bringup") / "config" / name


def _stop_file() -> str:
    """Where the guards of one launch say to each other that the emergency stop is set."""
    return str(Path(tempfile.gettempdir()) / f"wm_e_stop_{os.getpid()}_{time.monotonic_ns():x}")


def _folder(argument: str, value: str, needed: str) -> str:
    if not value:
        return ""
    folder = Path(value).expanduser().absolute()
    if not (folder / needed).is_file():
        raise LaunchError(f"argument '{argument}': expected a folder with {needed}, found none at {folder}")
    return str(folder)
