"""What wm expects: the robot's profile, the rig, and topics as the parameters of wm_perception and wm_guard have them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wm_bringup.doctor.observed import CameraTopics, Setup
from wm_bringup.launch_files import GUARD, PERCEPTION, joint_topic_of, said_to
from wm_core.kinematics import Kinematics
from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile

# As wm_perception's parameters of these names.
DEFAULTS: dict[str, Any] = {
    "rig": "two_cameras",
    "cameras": [],
    "colour_topic": "{camera}/color/image_raw",
    "depth_topic": "{camera}/aligned_depth_to_color/image_raw",
    "info_topic": "{camera}/color/camera_info",
    "aligned_depth": False,
    "rectified": "auto",
    "sync_tolerance": 0.02,
    "sync_timeout": 0.06,
}


def setup_of(
    profile: RobotProfile, given: Mapping[str, Any], files: Sequence[Path], controller_topic: str = ""
) -> Setup:
    """What is expected of a robot. `given` comes before what parameter files say to wm_perception, later ones first, this before DEFAULTS;
    `controller_topic` before what they say to wm_guard, this before the profile's.

    Raises RobotError, RigError, ConfigError or OSError for what cannot be read, and ConfigError where `given` has no joint_topic and the
    files say different ones to the nodes that read joints.
    """
    said = {name: value for name, value in said_to(PERCEPTION, files).items() if name in DEFAULTS}
    values = {**DEFAULTS, **said, **{name: value for name, value in given.items() if value}}
    moved = {"trajectory_topic": "", "placed_topic": "arm_placed", **said_to(GUARD, files)}
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
        given.get("joint_topic") or joint_topic_of(files, profile.joint_topic),
        controller_topic or moved["trajectory_topic"] or profile.controller_topic,
        moved["placed_topic"],
        aligned_depth=bool(values["aligned_depth"]),
        rectified=values["rectified"],
        sync_tolerance=float(values["sync_tolerance"]),
        sync_timeout=float(values["sync_timeout"]),
    )


def in_full(setup: Setup, resolve: Callable[[str], str]) -> Setup:
    """The same with topics as they stand in the graph."""
    cameras = tuple(CameraTopics(c.name, resolve(c.colour), resolve(c.depth), resolve(c.info)) for c in setup.cameras)
    arm: dict[str, Any] = {
        name: resolve(getattr(setup, name)) for name in ("joint_topic", "controller_topic", "placed_topic")
    }
    return replace(setup, cameras=cameras, **arm)
