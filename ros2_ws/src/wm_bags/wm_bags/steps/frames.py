"""Messages of one instant -> arrays; what is missing, mismatched or not finite is refused with bag, topic and time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.profile import ANOTHER_ROBOT, CameraTopics
from wm_bags.storage.errors import BagError
from wm_core.camera_model import Undistortion, lenses_of, rectified_of
from wm_core.images import ImageError, colour_image, depth_image, in_metres
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.rig import Camera

BEYOND = 0.05  # [rad] that a measured joint may be outside its limits


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
    bag: Path,
    topics: CameraTopics,
    stamp_ns: int,
    messages: tuple[Any, Any, Any],
    depth_unit: float | None = None,
    aligned: bool = False,
    rectified: str = "auto",
) -> Frame:
    """Colour image, aligned depth and camera info of one instant -> arrays without distortion; `depth_unit` [m]: of a driver
    that has another than REP-118; `aligned`: depth is, whatever its frame_id says; `rectified`: as of a profile."""
    image, depth, info = messages
    _check_aligned(bag, topics, stamp_ns, (image, image if aligned else depth, info))
    topic = topics.color
    try:
        rgb = colour_image(image)
        topic = topics.depth
        metres = depth_image(depth, depth_unit).depth
        topic = topics.info
        which = rectified_of(rectified, topics.color, topics.depth)
        lenses = lenses_of(info, rgb.shape[1], rgb.shape[0], which)
    except (ImageError, AttributeError) as error:
        raise refusal(bag, topic, stamp_ns, str(error)) from error
    if metres.shape != rgb.shape[:2]:
        raise refusal(
            bag,
            topics.depth,
            stamp_ns,
            f"expected the colour image's {rgb.shape[1]} x {rgb.shape[0]}, got {metres.shape[1]} x {metres.shape[0]};"
            " record depth aligned to colour and the colour camera's info",
        )
    return Frame(Undistortion(lenses.colour).rgb(rgb), Undistortion(lenses.depth).depth(metres), lenses.depth.K)


def unit_of(depth: Any, camera: Camera, of_profile: float) -> float:
    """[m] of one in a depth image: the rig's for this camera; else metres in 32FC1, the profile's in 16UC1."""
    return camera.depth_unit or (1.0 if in_metres(depth) else of_profile)


def _check_aligned(bag: Path, topics: CameraTopics, stamp_ns: int, messages: tuple[Any, Any, Any]) -> None:
    """Raises BagError where frame_ids say that depth or intrinsics are of another camera than the colour image."""
    colour, *others = (message.header.frame_id for message in messages)
    for topic, frame_id in zip((topics.depth, topics.info), others, strict=True):
        if colour and frame_id and frame_id != colour:
            raise refusal(
                bag,
                topic,
                stamp_ns,
                f"expected the colour image's frame '{colour}', got frame_id '{frame_id}'; record depth aligned to colour and"
                " the colour camera's info, or set aligned_depth: true in the profile, if it is aligned nevertheless",
            )


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
