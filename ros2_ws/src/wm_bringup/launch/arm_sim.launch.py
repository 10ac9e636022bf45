"""The closed loop in simulation: ros2 launch wm_bringup arm_sim.launch.py [world:=tabletop_mug episodes:=10 report:=FILE ...]"""

import os
from functools import partial

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from wm_bringup.graph import arm_sim
from wm_bringup.launch_arguments import ARGUMENTS
from wm_bringup.supervision.ends import RESPAWN_S, SIGKILL_S, SIGTERM_S, End, after, reason
from wm_core.launched import LAUNCHER_PID


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(a.name, default_value=a.default, description=a.description) for a in ARGUMENTS]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context):
    graph = arm_sim({a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS})
    environment = {**graph.environment, LAUNCHER_PID: str(os.getpid())}
    actions = [SetEnvironmentVariable(name, value) for name, value in environment.items()]
    for node in graph.nodes:
        process = Node(
            package=node.package,
            executable=node.executable,
            name=node.name,
            namespace=graph.namespace,
            output="screen",
            parameters=[*map(str, graph.params_files), node.parameters],
            remappings=list(graph.remappings),
            arguments=["--ros-args", "--log-level", graph.log_level],
            respawn=node.respawn,
            respawn_delay=RESPAWN_S,
            sigterm_timeout=str(SIGTERM_S),
            sigkill_timeout=str(SIGKILL_S),
        )
        actions.append(process)
        on_exit = partial(_on_exit, node)
        actions.append(RegisterEventHandler(OnProcessExit(target_action=process, on_exit=on_exit)))
    return actions


def _on_exit(node, event, context):
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
