"""What the parameter files of a launch say to a node, for those who look at a robot from beside the launch."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wm_bringup.drivers import driver_of, load_driver
from wm_bringup.graph_parts import config
from wm_core.given_parameters import EVERY_NODE, load_parameters, parameters_in

GUARD, PERCEPTION = "wm_guard", "wm_perception"


def files_of_real(robot: str, driver: str, camera: str, given: Sequence[Path]) -> list[Path]:
    """As arm_real gives them to its nodes, later ones win: what differs on a robot, files of the drivers of cameras and arm, one's own.

    `robot`: its profile's name; `driver`, `camera`: as the launch arguments of these names. Raises LaunchError for an unknown driver.
    """
    arm = driver_of(driver, robot)
    return [config("arm_real.yaml"), *files_of_camera(camera), *(arm.params_files if arm else []), *given]


def files_of_camera(camera: str) -> list[Path]:
    """Of the driver of the cameras, if one is named; raises LaunchError for an unknown one."""
    return load_driver("camera", camera).params_files if camera else []


def said_to(node: str, files: Iterable[Path]) -> dict[str, Any]:
    """Parameters of a node by name, those of `/**` among them; raises ConfigError, OSError and yaml.YAMLError."""
    mine = (node, *EVERY_NODE)
    said = ((section, name, value) for file in files for section, name, value in parameters_in(load_parameters(file)))
    return {name: value for section, name, value in said if section.rpartition("/")[2] in mine}
