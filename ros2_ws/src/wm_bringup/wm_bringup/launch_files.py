"""What the parameter files of a launch say to a node, for those who look at a robot from beside the launch."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wm_bringup.drivers import driver_of
from wm_bringup.graph_parts import config
from wm_core.given_parameters import EVERY_NODE, load_parameters, parameters_in

GUARD, PERCEPTION = "wm_guard", "wm_perception"


def files_of_real(robot: str, driver: str, given: Sequence[Path]) -> list[Path]:
    """As arm_real gives them to its nodes, later ones win: what differs on a robot, the driver's file, and those of one's own.

    `robot`: its profile's name; `driver`: as the launch argument of this name. Raises LaunchError for an unknown driver.
    """
    found = driver_of(driver, robot)
    return [config("arm_real.yaml"), *(found.params_files if found else []), *given]


def said_to(node: str, files: Iterable[Path]) -> dict[str, Any]:
    """Parameters of a node by name, those of `/**` among them; raises ConfigError, OSError and yaml.YAMLError."""
    mine = (node, *EVERY_NODE)
    said = ((section, name, value) for file in files for section, name, value in parameters_in(load_parameters(file)))
    return {name: value for section, name, value in said if section.rpartition("/")[2] in mine}
