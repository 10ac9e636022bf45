"""The one description of the graph that arm_sim starts. Read by the launch file and by the embedded runner alike."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_core.paths import bundles_dir, share

PLANNERS = ("icem", "mppi", "cem", "gradient", "random")
BOOLEANS = ("true", "false")
# From the arm upwards; the simulator last, so that its first frames find everybody listening.
LIFECYCLE_ORDER = ("wm_guard", "wm_perception", "wm_dynamics", "wm_planner", "wm_sim")


class LaunchError(ValueError):
    """A launch argument that cannot be used: names it, what was expected and what came."""


@dataclass(frozen=True)
class Argument:
    """A launch argument; all values are strings, as in ROS 2 launch."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    pattern: str = ""  # regular expression of allowed values, "" allows all

    def check(self, value: str) -> str:
        if self.choices and value not in self.choices:
            raise LaunchError(f"argument '{self.name}': expected one of {', '.join(self.choices)}, got '{value}'")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise LaunchError(f"argument '{self.name}': expected {self.description}, got '{value}'")
        return value


ARGUMENTS = (
    Argument("world", "tabletop_block", "a world of sim_worlds/worlds, or the path of a world file"),
    Argument("rig", "", "a camera rig of sim_worlds/rigs, or the path of a rig file; empty: the world's"),
    Argument("bundle", "", "the folder of a model bundle; empty: the shipped one"),
    Argument("planner", "icem", "the search algorithm", PLANNERS),
    Argument("episodes", "", "a number of episodes after which to stop; empty: until stopped", pattern=r"[0-9]*"),
    Argument("seed", "10000", "the seed of the first episode, a whole number", pattern=r"[0-9]+"),
    Argument("headless", "true", "false opens the simulator's window", BOOLEANS),
    Argument("real_time", "true", "false: lockstep, as fast as the machine computes, deterministic", BOOLEANS),
    Argument("report", "", "a JSON file for the results; a PNG and an MP4 are written beside it"),
    Argument("record", "", "recording is not part of this version: leave it empty"),
    Argument("namespace", "", "a namespace for all nodes", pattern=r"(/?[A-Za-z_][A-Za-z0-9_]*)*/?"),
    Argument("params_file", "", "a parameter file read after config/arm_sim.yaml"),
    Argument("log_level", "info", "the log level of all nodes", ("debug", "info", "warn", "error", "fatal")),
)


@dataclass(frozen=True)
class Node:
    """One process of the graph."""

    package: str
    executable: str
    module: str  # python -m this, where no executable is installed
    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    ends_all: bool = True  # its end brings everything down; its exit status becomes the launch's


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


def check_arguments(given: Mapping[str, str]) -> dict[str, str]:
    """Values of all arguments; raises LaunchError for unknown names and bad values."""
    known = {argument.name: argument for argument in ARGUMENTS}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise LaunchError(f"unknown argument '{unknown[0]}'; known are {', '.join(known)}")
    return {name: argument.check(str(given.get(name, argument.default))) for name, argument in known.items()}


def arm_sim(given: Mapping[str, str]) -> Graph:
    """The graph of arm_sim.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given)
    if values["record"] not in ("", "false"):
        raise LaunchError(
            "argument 'record': expected nothing, recording is not part of this version; use `ros2 bag record`"
        )
    lockstep = values["real_time"] == "false"
    time_of_sim = {"use_sim_time": lockstep}
    bundle = _folder("bundle", values["bundle"], "bundle.yaml") or str(bundles_dir() / "default")
    rig = values["rig"]
    sim: dict[str, Any] = {
        "world": values["world"],
        "mode": "lockstep" if lockstep else "real_time",
        "seed": int(values["seed"]),
        "rig": rig,
        "gui": values["headless"] == "false",
    }
    episodes: dict[str, Any] = {
        "episodes": int(values["episodes"] or 0),
        "seed": int(values["seed"]),
        "world": values["world"],
        "report": str(Path(values["report"]).expanduser().absolute()) if values["report"] else "",
        "bundle": bundle,
        "lockstep": lockstep,
        "planner": values["planner"],
        **time_of_sim,
    }
    perception = {"bundle": bundle, **({"rig": rig} if rig else {}), **time_of_sim}
    nodes = (
        Node("wm_sim", "wm_sim", "wm_sim.node", "wm_sim", sim),
        Node("wm_guard", "wm_guard", "wm_guard.node", "wm_guard", time_of_sim),
        Node("wm_perception", "wm_perception", "wm_perception.node", "wm_perception", perception),
        Node("wm_dynamics", "wm_dynamics", "wm_dynamics.node", "wm_dynamics", {"bundle": bundle, **time_of_sim}),
        Node(
            "wm_planner",
            "wm_planner",
            "wm_planner.node",
            "wm_planner",
            {
                "bundle": bundle,
                "planner": values["planner"],
                "seed": int(values["seed"]),
                "lockstep": lockstep,
                **time_of_sim,
            },
        ),
        Node(
            "wm_bringup",
            "wm_lifecycle_manager",
            "wm_bringup.lifecycle_manager",
            "wm_lifecycle_manager",
            {"nodes": list(LIFECYCLE_ORDER)},
        ),
        Node("wm_bringup", "wm_episodes", "wm_bringup.episodes", "wm_episodes", episodes),
    )
    files = [config("arm_sim.yaml")]
    if values["params_file"]:
        file = Path(values["params_file"]).expanduser()
        if not file.is_file():
            raise LaunchError(f"argument 'params_file': expected a file, {file} does not exist")
        files.append(file)
    environment = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(config("fastdds.xml"))}
    return Graph(nodes, tuple(files), values["namespace"].strip("/"), values["log_level"], environment)


def config(name: str) -> Path:
    """A file of wm_bringup/config."""
    return share("wm_bringup") / "config" / name


def _folder(argument: str, value: str, needed: str) -> str:
    if not value:
        return ""
    folder = Path(value).expanduser().absolute()
    if not (folder / needed).is_file():
        raise LaunchError(f"argument '{argument}': expected a folder with {needed}, found none at {folder}")
    return str(folder)
