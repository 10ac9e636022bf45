"""The closed loop in simulation: ros2 launch wm_bringup arm_sim.launch.py [world:=tabletop_mug episodes:=10 report:=FILE ...]"""

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


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(a.name, default_value=a.default, description=a.description) for a in ARGUMENTS]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context):
    graph = arm_sim({a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS})
    actions = [SetEnvironmentVariable(name, value) for name, value in graph.environment.items()]
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
        )
        actions.append(process)
        on_exit = _end_all if node.ends_all else _report
        actions.append(RegisterEventHandler(OnProcessExit(target_action=process, on_exit=on_exit)))
    return actions


def _report(event, context):
    """The end of a node that the others do without."""
    if context.is_shutdown:
        return None
    return LogInfo(msg=f"{event.process_name} ended with exit status {event.returncode}: the others go on")


def _end_all(event, context):
    """One node's end is the end of all; a failure becomes the exit status of the launch."""
    if context.is_shutdown:
        return None
    if event.returncode:
        raise RuntimeError(f"{event.process_name} ended with exit status {event.returncode}")
    return EmitEvent(event=Shutdown(reason=f"{event.process_name} ended"))
