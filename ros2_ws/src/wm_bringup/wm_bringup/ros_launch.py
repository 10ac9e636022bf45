"""A graph as a launch description of ROS 2's own launch; the launch files are made of it."""

import atexit
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description import LaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from wm_bringup import graph_parts
from wm_bringup.launch_arguments import Argument, given_words, is_asked_for
from wm_bringup.supervision.ends import RESPAWN_S, SIGKILL_S, SIGTERM_S, End, after, reason
from wm_core.launched import LAUNCHER_PID
from wm_core.paths import share

OWN = "launch-prefix"  # begins the words that ros2 launch adds itself


def description(
    arguments: Sequence[Argument], graph_of: Callable[[Mapping[str, str]], graph_parts.Graph]
) -> LaunchDescription:
    """Of a launch file with these arguments, from which `graph_of` makes the graph."""
    declared = [DeclareLaunchArgument(a.name, default_value=a.default, description=a.description) for a in arguments]

    def start(context: Any) -> list[Any]:
        # ros2 launch takes what no launch file knows: these words are checked with the others, or a slip would go unnoticed.
        # When another launch file includes this one, they are for that.
        asked = is_asked_for(f"{graph_of.__name__}.launch.py", sys.argv)
        words = [word for word in context.argv or () if asked and not word.startswith(OWN)]
        return _actions(
            graph_of(given_words(words) | {a.name: LaunchConfiguration(a.name).perform(context) for a in arguments})
        )

    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def _actions(graph: graph_parts.Graph) -> list[Any]:
    # Drivers first, with the environment of the caller; their processes are not wm's to restart.
    actions: list[Any] = [
        IncludeLaunchDescription(
            AnyLaunchDescriptionSource(str(Path(share(each.package)) / "launch" / each.launch)),
            launch_arguments=each.arguments.items(),
        )
        for each in graph.includes
    ]
    environment = {**graph.environment, LAUNCHER_PID: str(os.getpid())}
    actions += [SetEnvironmentVariable(name, value) for name, value in environment.items()]
    for node in graph.nodes:
        process = Node(
            package=node.package,
            executable=node.executable,
            name=None if node.parts else node.name,
            namespace=graph.namespace,
            output="screen",
            parameters=[*map(str, graph.params_files), _overrides(node) if node.parts else node.parameters],
            remappings=list(graph.remappings),
            arguments=["--ros-args", *_names(node), "--log-level", graph.log_level],
            respawn=node.respawn,
            respawn_delay=RESPAWN_S,
            sigterm_timeout=str(SIGTERM_S),
            sigkill_timeout=str(SIGKILL_S),
        )
        actions.append(process)
        on_exit = partial(_on_exit, node)
        actions.append(RegisterEventHandler(OnProcessExit(target_action=process, on_exit=on_exit)))
    for each in graph.programs:  # in the namespace: RViz's topics are relative, as wm's are
        program = Node(
            package=each.package,
            executable=each.executable,
            namespace=graph.namespace,
            arguments=list(each.arguments),
        )
        actions.append(program)
    return actions


def _names(node: graph_parts.Node) -> list[str]:
    """Rules for the names of a process's parts; a single node's comes with its `name`."""
    return [word for rule in node.named for word in ("-r", rule)] if node.parts else []


def _overrides(node: graph_parts.Node) -> str:
    """The path of a file with the parameters of a process's parts, there until the launch ends."""
    with tempfile.NamedTemporaryFile("w", prefix="wm_launch_", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(node.overrides, file)
    atexit.register(os.unlink, file.name)
    return file.name


def _on_exit(node: graph_parts.Node, event: Any, context: Any) -> Any:
    """What the end of a process means; a failure that ends all becomes the exit status of the launch."""
    if context.is_shutdown:
        return None
    end = after(node.respawn, node.final, node.ends_all, event.returncode)
    said = f"{node.name} ended with {reason(event.returncode)}: {end.value}"
    if end is not End.OF_ALL:
        return LogInfo(msg=said)
    if event.returncode:
        raise RuntimeError(said)
    return EmitEvent(event=Shutdown(reason=f"{node.name} ended"))
