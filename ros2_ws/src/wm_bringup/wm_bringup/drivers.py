"""Drivers of arms and cameras as data: folders as in wm_bringup/examples say which launch file of which package starts them.

`launch.yaml` is checked here; `parameters.yaml` beside it, if there is one, is what wm's nodes must know of the driver's topics.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wm_bringup.graph_parts import Include, Program
from wm_bringup.launch_arguments import LaunchError
from wm_core.checked_yaml import load_checked
from wm_core.paths import share

LAUNCH, PARAMETERS = "launch.yaml", "parameters.yaml"
AUTO, NONE = "auto", "none"
MOCKED = "use_mock_hardware"
_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["package", "launch", "install", "arguments"],
    "additionalProperties": False,
    "properties": {
        "package": {"type": "string"},
        "launch": {"type": "string"},
        "install": {"type": "string"},
        "robots": {"type": "array", "items": {"type": "string"}},
        "controller": {"type": "string"},
        "arguments": _TEXTS,
        "mocked": _TEXTS,
        "spawn": {"type": "array", "items": {"type": "string"}},
        "cameras": {"type": "object", "additionalProperties": _TEXTS},
    },
}


@dataclass(frozen=True)
class Driver:
    """A folder with launch.yaml.

    `robots`: profiles for which it is the driver; `controller`: what takes trajectories unless the launch says another.
    `arguments` of its launch file: values with {robot_ip}, {use_mock_hardware}, {tf_prefix}, {controller}, {namespace}, {robot} (its
    name), {profile} (its file) and {camera}; with the last it is started once for each camera of the rig.
    `mocked`: further arguments, with mocked hardware alone; `cameras`: for one of them, by name. `spawn`: controllers that its launch
    file leaves to others, with the same placeholders.
    """

    folder: Path
    package: str
    launch: str
    install: str  # how to get the package
    robots: tuple[str, ...]
    controller: str
    arguments: dict[str, str]
    mocked: dict[str, str]
    spawn: tuple[str, ...]
    cameras: dict[str, dict[str, str]]

    @property
    def params_files(self) -> list[Path]:
        """What wm's nodes must know of it."""
        file = self.folder / PARAMETERS
        return [file] if file.is_file() else []

    @property
    def can_be_mocked(self) -> bool:
        """Whether its launch file hears of mocked hardware."""
        return bool(self.mocked) or any(f"{{{MOCKED}}}" in text for text in self.arguments.values())

    def programs(self, values: Mapping[str, str]) -> list[Program]:
        """What starts the controllers that its launch file leaves to others."""
        if not self.spawn:
            return []
        manager = f"{values['namespace'] and '/'}{values['namespace']}/controller_manager"
        names = tuple(self._filled(name, values) for name in self.spawn)
        return [Program("controller_manager", "spawner", (*names, "--controller-manager", manager))]

    def includes(self, values: Mapping[str, str], cameras: tuple[str, ...] = ()) -> list[Include]:
        """Its launch file with these values; raises LaunchError where the package is not installed or a value is unknown."""
        if not installed(self.package):
            raise LaunchError(
                f"{self.package} is not installed ({self.folder.name}): {self.install}; or start the driver elsewhere, and give"
                " neither robot_ip, use_mock_hardware nor camera"
            )
        unknown = sorted(set(self.cameras) - set(cameras))
        if unknown:
            raise LaunchError(
                f"{self.folder / LAUNCH}: cameras: expected cameras of the rig ({', '.join(cameras)}), got {unknown[0]}"
            )
        each = cameras if any("{camera}" in value for value in self.arguments.values()) else ("",)
        mocked = self.mocked if values.get(MOCKED) == "true" else {}
        return [
            self._include({**values, "camera": camera}, {**mocked, **self.cameras.get(camera, {})}) for camera in each
        ]

    def _include(self, values: Mapping[str, str], more: Mapping[str, str]) -> Include:
        given = {name: self._filled(text, values) for name, text in {**self.arguments, **more}.items()}
        return Include(self.package, self.launch, given)

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        found = set(re.findall(r"\{(\w+)\}", text))
        if found - set(values):
            raise LaunchError(
                f"{self.folder / LAUNCH}: arguments: expected {', '.join(f'{{{each}}}' for each in values)}, got '{text}'"
            )
        return re.sub(r"\{(\w+)\}", lambda name: values[name[1]], text)


def installed(package: str) -> bool:
    """Whether a ROS package is there."""
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_prefix
    except ImportError:
        return False
    try:
        return bool(get_package_prefix(package))
    except (PackageNotFoundError, OSError, ValueError, LookupError):
        return False


def examples_dir() -> Path:
    """Folder of the shipped drivers, one folder each."""
    return share("wm_bringup") / "examples"


def load_driver(argument: str, value: str) -> Driver:
    """By the name of a shipped folder, or by path; raises LaunchError naming the launch argument."""
    folder = Path(value).expanduser().absolute() if "/" in value else examples_dir() / value
    if not (folder / LAUNCH).is_file():
        known = ", ".join(sorted(path.parent.name for path in examples_dir().glob(f"*/{LAUNCH}")))
        raise LaunchError(f"argument '{argument}': expected a folder with {LAUNCH} or one of {known}, got '{value}'")
    data = load_checked(folder / LAUNCH, SCHEMA, LaunchError)
    return Driver(
        folder,
        data["package"],
        data["launch"],
        data["install"],
        tuple(data.get("robots", ())),
        data.get("controller", ""),
        _texts(data["arguments"]),
        _texts(data.get("mocked", {})),
        tuple(data.get("spawn", ())),
        {name: _texts(given) for name, given in data.get("cameras", {}).items()},
    )


def driver_of(value: str, robot: str) -> Driver | None:
    """The arm's driver: `value` is a folder, AUTO (the shipped one that names the robot, if any) or NONE."""
    if value == NONE:
        return None
    if value != AUTO:
        return load_driver("driver", value)
    shipped = [load_driver("driver", path.parent.name) for path in sorted(examples_dir().glob(f"*/{LAUNCH}"))]
    return next((each for each in shipped if robot in each.robots), None)


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    """As ROS 2 launch takes them."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
