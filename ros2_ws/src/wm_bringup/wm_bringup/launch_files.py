"""What the parameter files of a launch say to a node, for those who look at a robot from beside the launch."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wm_bringup.drivers import Driver, driver_of, load_driver
from wm_bringup.graph_parts import config
from wm_core.given_parameters import EVERY_NODE, load_parameters, parameters_in
from wm_core.params import ConfigError
from wm_core.robot import RobotProfile
from wm_guard.limits import Limits

GUARD, PERCEPTION, PLANNER = "wm_guard", "wm_perception", "wm_planner"
READ_JOINTS = (GUARD, PERCEPTION, PLANNER)


def files_of_real(robot: str, driver: str, camera: str, given: Sequence[Path]) -> list[Path]:
    """As arm_real gives them to its nodes, later ones win: what differs on a robot, files of the drivers of cameras and arm, one's own.

    `robot`: its profile's name; `driver`, `camera`: as the launch arguments of these names. Raises LaunchError for an unknown driver.
    """
    return in_order(load_driver("camera", camera) if camera else None, driver_of(driver, robot), given)


def in_order(camera: Driver | None, arm: Driver | None, given: Sequence[Path]) -> list[Path]:
    """What differs on a robot, files of the drivers of cameras and arm, one's own."""
    drivers = [each for each in (camera, arm) if each is not None]
    return [config("arm_real.yaml"), *(file for each in drivers for file in each.params_files), *given]


def files_of_camera(camera: str) -> list[Path]:
    """Of the driver of the cameras, if one is named; raises LaunchError for an unknown one."""
    return load_driver("camera", camera).params_files if camera else []


def said_to(node: str, files: Iterable[Path]) -> dict[str, Any]:
    """Parameters of a node by name, those of `/**` among them; raises ConfigError, OSError and yaml.YAMLError."""
    mine = (node, *EVERY_NODE)
    said = ((section, name, value) for file in files for section, name, value in parameters_in(load_parameters(file)))
    return {name: value for section, name, value in said if section.rpartition("/")[2] in mine}


def tool_speed_of(files: Sequence[Path], robot: RobotProfile) -> float:
    """[m/s] to which the planner is to keep: what it says itself, and no more than the guard lets pass; raises what `said_to` does."""
    guard, planner = said_to(GUARD, files), said_to(PLANNER, files)
    given = {name: float(guard[name]) for name in ("tool_speed", "speed_limit") if guard.get(name)}
    fastest = Limits.of(robot, **given).fastest_tool
    return min(fastest, float(planner.get("tool_speed") or fastest))


def joint_topic_of(files: Sequence[Path], of_profile: str, namespace: str = "") -> str:
    """Where the nodes that read the arm's joints do so: as parameter files say, later ones win, else `of_profile`.

    `namespace`: of the nodes. Raises ConfigError, naming nodes and files, where they would not all read the same topic; what `said_to`
    raises, too.
    """
    read: dict[str, tuple[str, str]] = {}
    for node in READ_JOINTS:
        read[node] = (of_profile, "the robot's profile")
        for file in files:
            topic = said_to(node, [file]).get("joint_topic")
            if topic is not None:
                read[node] = (topic, str(file)) if topic else (of_profile, "the robot's profile")
    home = f"/{namespace.strip('/')}/".replace("//", "/")
    if len({topic if topic.startswith("/") else home + topic for topic, _ in read.values()}) > 1:
        said = "; ".join(f"{node}: {topic}, of {source}" for node, (topic, source) in read.items())
        raise ConfigError(
            f"joint_topic: expected one topic of {', '.join(READ_JOINTS)}, got {said}: set it for all three of them in your parameter file"
        )
    return read[GUARD][0]
