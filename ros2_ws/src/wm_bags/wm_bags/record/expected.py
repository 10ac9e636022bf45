"""What a complete recording holds where cameras and robot have topics of their own: by rig and robot, or as wm_perception is set up."""

from collections.abc import Mapping
from typing import Any

from wm_bags.record.topics import CAMERA_TOPICS, Expected, complete
from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT, load_robot

PERCEPTION = "wm_perception"


def expected_of(values: Mapping[str, Any]) -> tuple[Expected, ...]:
    """`values`: parameters of wm_perception, or those of them that are known: rig, cameras, colour_topic, depth_topic, info_topic,
    robot, prefix, joint_topic. Raises ValueError or OSError for a rig or robot that cannot be read."""
    rig = CameraRig.load(rig_path(values.get("rig") or "two_cameras"))
    names = list(values.get("cameras") or [camera.name for camera in rig.cameras])
    patterns = {name: values.get(name) or default for name, (default, _) in CAMERA_TOPICS.items()}
    robot = load_robot(values.get("robot") or DEFAULT_ROBOT)
    return complete(names, patterns, values.get("joint_topic") or robot.joint_topic, robot.controller_topic)
