"""The gripper of an arm's URDF as a tool: what the closed fingers push with."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np

from wm_core.kinematics import Kinematics
from wm_core.meshes import link_shapes
from wm_core.rotations import parts_of

BELOW_TIP = 0.008  # [m] the fingers end this much below the tip, as the Panda's do
TOPIC = "gripper_controller/commands"


def gripper_tool(kinematics: Kinematics) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The fields `tool.mount` with `tool.boxes`, and `gripper`, of a profile; None for an arm without fingers.

    Fingers are what sliding joints move; the tip lies between them, near their ends, along z of the link that carries them.
    """
    root = ElementTree.fromstring(kinematics.description)
    joints = [joint for joint in root.findall("joint") if joint.get("type") == "prismatic"]
    if not joints:
        return None
    hand, links = _link(joints[0], "parent"), [_link(joint, "child") for joint in joints]
    poses = kinematics.link_poses([hand, *links], np.zeros(len(kinematics.joint_names)))
    corners = []
    for link, pose in zip(links, poses[1:], strict=True):
        for shape in link_shapes(kinematics.description, [link]):
            rotation, position = parts_of(np.linalg.inv(poses[0]) @ pose @ shape.pose)
            corners.append(shape.vertices @ rotation.T + position)
    if not corners:
        return None
    low, high = np.concatenate(corners).min(0), np.concatenate(corners).max(0)
    middle, size = (low + high) / 2, high - low
    tip = np.array([middle[0], middle[1], high[2] - BELOW_TIP])
    tool = {
        "mount": {"link": hand, "position": _rounded(tip), "rpy_deg": [0, 0, 0]},
        "boxes": [{"position": _rounded(middle - tip), "size": _rounded(size)}],
    }
    limit = joints[0].find("limit")
    lower, upper, effort = (
        float(limit.get(key, 0)) if limit is not None else 0.0 for key in ("lower", "upper", "effort")
    )
    names = [joint.get("name", "") for joint in joints]
    return tool, {"joints": names, "range": [lower, upper], "force": effort or 10.0, "topic": TOPIC}


def _link(joint: ElementTree.Element, tag: str) -> str:
    element = joint.find(tag)
    return "" if element is None else element.get("link", "")


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
