"""Messages of one instant -> arrays; what is missing, mismatched or not finite is refused with bag, topic and time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.profile import ANOTHER_ROBOT, CameraTopics
from wm_bags.storage.errors import BagError
from wm_core.images import ImageError, colour_image, depth_image
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.rig import Camera

BEYOND = 0.05  # [rad] that a measured joint may be outside its limits
MILLIMETRE = 0.001


def refusal(bag: Path, topic: str, stamp_ns: int, problem: str) -> BagError:
    """The error for one message of a bag; `problem`: what was expected, what came, what to do."""
    return BagError(f"{bag}: /{topic.lstrip('/')} at {stamp_ns / 1e9:.3f} s ({stamp_ns} ns): {problem}")


@dataclass(frozen=True)
class Frame:
    """One camera's view at one instant."""

    rgb: np.ndarray  # (H, W, 3) uint8
    depth: np.ndarray  # (H, W) float32 [m], 0 = no reading
    K: np.ndarray  # (3, 3)


@dataclass(frozen=True)
class Step:
    """All measurements of one control period, and the motion executed after them."""

    stamp_ns: int
    frames: dict[str, Frame]
    joint_names: tuple[str, ...]
    joints: np.ndarray  # (n,) [rad]
    ee_start: np.ndarray  # (2,) [m] commanded tool position at the stamp; NaN in video
    ee_end: np.ndarray  # (2,) [m] commanded tool position one step later; NaN in video
    truth: np.ndarray | None  # (7,) object position [m] and quaternion xyzw, simulation only


def make_frame(
    bag: Path, topics: CameraTopics, stamp_ns: int, messages: tuple[Any, Any, Any], depth_unit: float = MILLIMETRE
) -> Frame:
    """Colour image, aligned depth and camera info of one instant -> arrays."""
    image, depth, info = messages
    topic = topics.color
    try:
        rgb = colour_image(image)
        topic = topics.depth
        metres = depth_image(depth).depth
    except (ImageError, AttributeError) as error:
        raise refusal(bag, topic, stamp_ns, str(error)) from error
    if depth_unit != MILLIMETRE and not _in_metres(depth):
        metres = metres * np.float32(depth_unit / MILLIMETRE)
    sizes = {topics.depth: metres.shape, topics.info: (info.height, info.width)}
    for topic, size in sizes.items():
        if size != rgb.shape[:2]:
            raise refusal(
                bag,
                topic,
                stamp_ns,
                f"expected the colour image's {rgb.shape[1]} x {rgb.shape[0]}, got {size[1]} x {size[0]};"
                " record depth aligned to colour and the colour camera's info",
            )
    K = finite(bag, topics.info, stamp_ns, info.k).reshape(3, 3)
    if not (K[0, 0] > 0 and K[1, 1] > 0):
        raise refusal(
            bag, topics.info, stamp_ns, f"expected focal lengths above 0, got {K[0, 0]}, {K[1, 1]}; calibrate it"
        )
    return Frame(rgb, metres, K)


def _in_metres(message: Any) -> bool:
    return "32FC1" in (message.format if hasattr(message, "format") else message.encoding)


def check_rig(bag: Path, info: str, stamp_ns: int, frame: Frame, camera: Camera) -> None:
    """Raises BagError when a camera is not the rig's: another size, or other intrinsics."""
    size, wanted = frame.depth.shape, (camera.height, camera.width)
    if size != wanted or np.abs(frame.K - camera.K).max() > 0.01 * camera.K[0, 0]:
        raise refusal(
            bag,
            info,
            stamp_ns,
            f"expected the rig's {wanted[1]} x {wanted[0]} pixels and K {camera.K.round(2).tolist()}, got"
            f" {size[1]} x {size[0]} and {frame.K.round(2).tolist()}; use the rig it was recorded with",
        )


def object_pose(bag: Path, topic: str, stamp_ns: int, truth: Any) -> np.ndarray:
    """Position [m] and quaternion xyzw (7,) of a PoseStamped."""
    p, o = truth.pose.position, truth.pose.orientation
    pose = finite(bag, topic, stamp_ns, [p.x, p.y, p.z, o.x, o.y, o.z, o.w])
    if np.abs(pose[3:]).max() > 2 or abs(np.linalg.norm(pose[3:]) - 1) > 0.01:
        raise refusal(bag, topic, stamp_ns, f"expected a unit quaternion, got {pose[3:].tolist()}")
    return pose


def arm_joints(bag: Path, topic: str, step: Step, kinematics: Kinematics) -> np.ndarray:
    """The arm's joints (n,) [rad] of a step; raises BagError for another robot's, and for what is beyond the limits."""
    try:
        q = kinematics.arm_joints(step.joint_names, step.joints)
    except KinematicsError as error:
        raise refusal(bag, topic, step.stamp_ns, f"{error}; {ANOTHER_ROBOT}") from error
    outside = (q < kinematics.lower - BEYOND) | (q > kinematics.upper + BEYOND)
    if outside.any():
        names = [name for name, bad in zip(kinematics.joint_names, outside, strict=True) if bad]
        raise refusal(bag, topic, step.stamp_ns, f"expected radians within the limits, got {q[outside]} of {names}")
    return q


def finite(bag: Path, topic: str, stamp_ns: int, values: Any) -> np.ndarray:
    """Values as float array; raises BagError where they are not finite."""
    array = np.asarray(values, float)
    if not np.isfinite(array).all():
        raise refusal(bag, topic, stamp_ns, f"expected finite numbers, got {array.tolist()}; record it again")
    return array
