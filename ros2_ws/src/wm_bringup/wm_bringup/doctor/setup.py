"""What wm expects: the robot's profile, the rig, and topics as wm_perception's parameters have them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wm_bringup.doctor.observed import CameraTopics, Setup
from wm_core.given_parameters import EVERY_NODE, load_parameters, parameters_in
from wm_core.kinematics import Kinematics
from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import load_robot

# As wm_perception's parameters of these names.
DEFAULTS: dict[str, Any] = {
    "rig": "two_cameras",
    "cameras": [],
    "colour_topic": "{camera}/color/image_raw",
    "depth_topic": "{camera}/aligned_depth_to_color/image_raw",
    "info_topic": "{camera}/color/camera_info",
    "joint_topic": "",
    "aligned_depth": False,
    "sync_tolerance": 0.02,
    "sync_timeout": 0.06,
}


def setup_of(robot: str, given: Mapping[str, Any], params_file: Path | None, controller_topic: str = "") -> Setup:
    """What is expected of a robot's name or profile; `given` comes before the file's parameters of wm_perception, these before DEFAULTS.

    Raises RobotError, RigError, ConfigError or OSError for what cannot be read.
    """
    values = {**DEFAULTS, **_of_perception(params_file), **{name: value for name, value in given.items() if value}}
    profile = load_robot(robot)
    rig = CameraRig.load(rig_path(values["rig"])).in_table_frame(profile)
    chosen: Sequence[str] = values["cameras"] or [camera.name for camera in rig.cameras]
    cameras = tuple(
        CameraTopics(name, *(values[f"{kind}_topic"].format(camera=name) for kind in ("colour", "depth", "info")))
        for name in chosen
    )
    return Setup(
        Kinematics(profile),
        rig.only(chosen),
        cameras,
        values["joint_topic"] or profile.joint_topic,
        controller_topic or profile.controller_topic,
        aligned_depth=bool(values["aligned_depth"]),
        sync_tolerance=float(values["sync_tolerance"]),
        sync_timeout=float(values["sync_timeout"]),
    )


def in_full(setup: Setup, resolve: Callable[[str], str]) -> Setup:
    """The same with topics as they stand in the graph."""
    cameras = tuple(CameraTopics(c.name, resolve(c.colour), resolve(c.depth), resolve(c.info)) for c in setup.cameras)
    joint_topic, controller_topic = resolve(setup.joint_topic), resolve(setup.controller_topic)
    return replace(setup, cameras=cameras, joint_topic=joint_topic, controller_topic=controller_topic)


def _of_perception(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    said = parameters_in(load_parameters(file))
    mine = ("wm_perception", *EVERY_NODE)
    return {name: value for section, name, value in said if section.rpartition("/")[2] in mine and name in DEFAULTS}
