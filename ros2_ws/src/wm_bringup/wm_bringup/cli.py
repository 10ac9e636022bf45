"""`python -m wm_bringup.cli launch FILE [name:=value ...]`: what `ros2 launch wm_bringup` does, without ROS 2's launch."""

import sys
from collections.abc import Callable, Mapping

from wm_bringup.embedded import Runner
from wm_bringup.graph import ARGUMENTS, Graph, LaunchError, arm_sim

LAUNCH_FILES: dict[str, Callable[[Mapping[str, str]], Graph]] = {"arm_sim.launch.py": arm_sim}


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _launch(arguments)
    except (LaunchError, FileNotFoundError) as error:
        print(f"wm: {error}", file=sys.stderr)
        return 2


def _launch(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[0] != "launch":
        raise LaunchError("usage: launch FILE [name:=value ...] [--show-args]")
    file, rest = arguments[1], arguments[2:]
    if file not in LAUNCH_FILES:
        raise LaunchError(f"expected a launch file out of {', '.join(LAUNCH_FILES)}, got '{file}'")
    if rest and rest[0] in ("--show-args", "-s"):
        print(show_arguments())
        return 0
    return Runner(LAUNCH_FILES[file](parse(rest))).run()


def parse(arguments: list[str]) -> dict[str, str]:
    """name:=value pairs; raises LaunchError on anything else."""
    pairs = {}
    for argument in arguments:
        name, separator, value = argument.partition(":=")
        if not separator or not name:
            raise LaunchError(f"expected name:=value, got '{argument}'")
        pairs[name] = value
    return pairs


def show_arguments() -> str:
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    for argument in ARGUMENTS:
        choices = f" Valid choices: {', '.join(argument.choices)}." if argument.choices else ""
        lines += [
            "",
            f"    '{argument.name}':",
            f"        {argument.description}.{choices}",
            f"        (default: '{argument.default}')",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
