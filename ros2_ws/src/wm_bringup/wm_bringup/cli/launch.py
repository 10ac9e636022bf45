"""Start a launch file, as `ros2 launch wm_bringup` does, without ROS 2's launch."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_bringup.launch_arguments import Argument

ERROR_STATUS = 2  # 1: what a node ended with
LAUNCH_FILES = ("arm_sim.launch.py", "arm_real.launch.py", "robot_stand_in.launch.py", "ros2_control.launch.py")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=f"one of {', '.join(LAUNCH_FILES)}")
    parser.add_argument("arguments", nargs="*", metavar="name:=value", help="arguments of the launch file")
    parser.add_argument("-s", "--show-args", action="store_true", help="list the arguments of the launch file")


def run(options: argparse.Namespace) -> int:
    """Returns the exit status of the node that ended it, 0 on Ctrl-C. Raises LaunchError."""
    from wm_bringup.embedded import Runner
    from wm_bringup.graph import arm_sim
    from wm_bringup.graph_real import arm_real
    from wm_bringup.graph_ros2_control import ros2_control
    from wm_bringup.graph_stand_in import robot_stand_in
    from wm_bringup.launch_arguments import (
        ARGUMENTS,
        CONTROL_ARGUMENTS,
        REAL_ARGUMENTS,
        STAND_IN_ARGUMENTS,
        LaunchError,
    )

    arguments_of = ARGUMENTS, REAL_ARGUMENTS, STAND_IN_ARGUMENTS, CONTROL_ARGUMENTS
    graphs = arm_sim, arm_real, robot_stand_in, ros2_control
    kinds = dict(zip(LAUNCH_FILES, zip(arguments_of, graphs, strict=True), strict=True))
    if options.file not in kinds:
        raise LaunchError(f"expected a launch file out of {', '.join(LAUNCH_FILES)}, got '{options.file}'")
    arguments, graph_of = kinds[options.file]
    if options.show_args:
        print(show_arguments(arguments))
        return 0
    graph = graph_of(parse(options.arguments))
    if graph.includes or graph.programs:
        names = ", ".join([*(each.package for each in graph.includes), *(each.package for each in graph.programs)])
        raise LaunchError(
            f"{names}: expected a sourced ROS 2, whose ros2 launch starts it; source /opt/ros/DISTRO/setup.bash"
        )
    return Runner(graph).run()


def parse(arguments: list[str]) -> dict[str, str]:
    """name:=value pairs; raises LaunchError on anything else."""
    from wm_bringup.launch_arguments import LaunchError

    pairs = {}
    for argument in arguments:
        name, separator, value = argument.partition(":=")
        if not separator or not name:
            raise LaunchError(f"expected name:=value, got '{argument}'")
        pairs[name] = value
    return pairs


def show_arguments(arguments: "Sequence[Argument]") -> str:
    """What a launch file takes, for people."""
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    for argument in arguments:
        choices = f" Valid choices: {', '.join(argument.choices)}." if argument.choices else ""
        lines += [
            "",
            f"    '{argument.name}':",
            f"        {argument.description}.{choices}",
            f"        (default: '{argument.default}')",
        ]
    return "\n".join(lines)
