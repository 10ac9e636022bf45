"""What a description of the graph is made of: nodes, what is started beside them, and the parts that all launch files share."""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from wm_bringup.launch_arguments import LaunchError
from wm_bringup.supervision.ends import GAVE_UP
from wm_core.paths import share

COMPOSED = ("wm_perception", "wm_dynamics", "wm_planner")  # in one process with composed:=true


@dataclass(frozen=True)
class Node:
    """One process of the graph.

    `respawn`: it is started again when it ends, other than with a status of `final` or with CANNOT_RUN (supervision/ends.py).
    `ends_all`: an end after which it is not started again brings everything down, and its exit status becomes the launch's: of a
    node that the arm needs, of the supervisor that gave up, and of what was asked for (episodes:=N, explore:=MINUTES): done or
    failed, there is nothing left to do. A client that runs beside the arm without end is none of them: that it failed is
    reported, and the arm's nodes go on.
    `parts`: nodes that run in this process, which then is no node itself and has no parameters of its own.
    """

    package: str
    executable: str
    module: str  # python -m this, where no executable is installed
    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    ends_all: bool = True
    respawn: bool = False
    final: tuple[int, ...] = ()
    parts: tuple["Node", ...] = ()

    @property
    def named(self) -> list[str]:
        """Remapping rules of names, which also say to whoever looks at a process which nodes it has."""
        return [f"{part.name}:__node:={part.name}" for part in self.parts] or [f"__node:={self.name}"]

    @property
    def overrides(self) -> dict[str, Any]:
        """Content of a parameter file with what the launch sets; it is to be read last, and then wins over the others.

        Sections have their place in ROS where they are first seen, so those of parts are spelled as nobody else spells them.
        """
        sections = {f"/**/**/{part.name}": part.parameters for part in self.parts} or {"/**": self.parameters}
        return {section: {"ros__parameters": parameters} for section, parameters in sections.items()}


@dataclass(frozen=True)
class Include:
    """A launch file of another package, such as that of an arm's or camera's driver."""

    package: str
    launch: str  # a file in the package's folder `launch`
    arguments: dict[str, str]


@dataclass(frozen=True)
class Program:
    """A program of another package, which may end without consequences."""

    package: str
    executable: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """What is started: nodes, parameter files (later ones win, overrides last), environment; of other packages includes, programs."""

    nodes: tuple[Node, ...]
    params_files: tuple[Path, ...]
    namespace: str
    log_level: str
    environment: dict[str, str]
    includes: tuple[Include, ...] = ()
    programs: tuple[Program, ...] = ()

    @property
    def remappings(self) -> tuple[tuple[str, str], ...]:
        """rclpy listens to the absolute /clock; in a namespace the simulator's clock is there."""
        return (("/clock", "clock"),) if self.namespace else ()


def lifecycle_node(package: str, parameters: dict[str, Any]) -> Node:
    """The node of a package that has its name."""
    return Node(package, package, f"{package}.node", package, parameters, respawn=True)


def process(
    package: str,
    name: str,
    parameters: dict[str, Any],
    ends_all: bool = True,
    respawn: bool = False,
    final: tuple[int, ...] = (),
) -> Node:
    """A node in a module of its own name, beside others of its package."""
    return Node(package, name, f"{package}.{name.removeprefix('wm_')}", name, parameters, ends_all, respawn, final)


def composed(nodes: list[Node]) -> list[Node]:
    """The same nodes with those of COMPOSED in one process, in place of the first of them."""
    parts = tuple(node for node in nodes if node.name in COMPOSED)
    whole = Node("wm_bringup", "wm_composed", "wm_bringup.composed", "wm_composed", respawn=True, parts=parts)
    others = [node for node in nodes if node.name not in COMPOSED]
    others.insert(nodes.index(parts[0]), whole)
    return others


def supervisor(nodes: list[Node], order: tuple[str, ...], recorded: bool, simulated: bool) -> Node:
    """Of the nodes with a life cycle, in the `order` in which they become active, and of the others that are restarted."""
    watched = [node.name for node in nodes if node.respawn and node.name not in order]
    parameters: dict[str, Any] = {"nodes": list(order), "recorded": recorded, "simulated_time": simulated}
    if watched:  # an empty list has no type
        parameters["watched"] = watched
    return process("wm_bringup", "wm_lifecycle_manager", parameters, respawn=True, final=(0, GAVE_UP))


def bundle_manager(bundle: str, registry: str, **parameters: Any) -> Node:
    """The node that swaps bundles: without it the arm goes on."""
    given = {"bundle": bundle, "registry": registry, **parameters}
    return process("wm_bringup", "wm_bundle_manager", given, ends_all=False, respawn=True)


def name_or_file(value: str) -> str:
    """A name as it is, a file's path from the working folder."""
    return absolute(value) if value.endswith((".yaml", ".yml")) else value


def absolute(value: str) -> str:
    """A path from the working folder; empty stays empty."""
    return str(Path(value).expanduser().absolute()) if value else ""


def recorders(values: Mapping[str, str], rig: str, order: tuple[str, ...]) -> list[Node]:
    """The recorder that is asked for, or none."""
    if values["record"] and values["snapshot"]:
        raise LaunchError("arguments 'record' and 'snapshot': expected one of them, got both; record has it all")
    for argument in ("record", "snapshot"):
        value = values[argument]
        if value in ("", "false"):
            continue
        folder = absolute(value if value != "true" else datetime.now().strftime("bags/%Y_%m_%d-%H_%M_%S"))
        if argument == "record" and Path(folder).exists():
            raise LaunchError(
                f"argument 'record': expected a new folder, {folder} exists; recordings are never overwritten"
            )
        parameters: dict[str, Any] = {"folder": folder, "rig": rig, "nodes": list(order), "beside": True}
        if argument == "snapshot":
            # Every reset of the simulator makes the guard hold: that is no surprise here.
            parameters |= {"mode": "snapshot", "triggers": ["drift", "e_stop", "person"]}
        return [Node("wm_bags", "wm_recorder", "wm_bags.record.recorder", "wm_recorder", parameters, respawn=True)]
    return []


def config(name: str) -> Path:
    """A file of wm_bringup/config."""
    return share("wm_bringup") / "config" / name


def middleware() -> dict[str, str]:
    """Environment of all nodes: the settings of the DDS."""
    return {"FASTRTPS_DEFAULT_PROFILES_FILE": str(config("fastdds.xml"))}


def stop_file() -> str:
    """Where the guards of one launch say to each other that the emergency stop is set."""
    return str(Path(tempfile.gettempdir()) / f"wm_e_stop_{os.getpid()}_{time.monotonic_ns():x}")
