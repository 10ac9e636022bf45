"""Arrays of the simulator <-> ROS messages."""

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point as PointMessage
from geometry_msgs.msg import Pose, PoseStamped, Quaternion
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory
from wm_msgs.msg import ArmWatch

from wm_core.rig import Camera
from wm_core.stamps import NS_PER_S, to_ns
from wm_sim.camera_profile import COEFFICIENTS, COLOUR_CHANNELS, CameraProfile
from wm_sim.controller import Point
from wm_sim.limit_watch import Watched


class CameraMessages:
    """The three messages of one camera, made once and filled per frame."""

    def __init__(self, camera: Camera, profile: CameraProfile) -> None:
        """`profile`: of this camera, see CameraProfile.of."""
        size = {"width": camera.width, "height": camera.height}
        self._channels, self._unit = COLOUR_CHANNELS[profile.colour.encoding], profile.depth_unit
        depth_bytes = 2 if profile.depth.encoding == "16UC1" else 4
        self.colour = Image(
            header=Header(frame_id=profile.colour.frame_id),
            encoding=profile.colour.encoding,
            step=len(self._channels) * camera.width,
            **size,
        )
        self.depth = Image(
            header=Header(frame_id=profile.depth.frame_id),
            encoding=profile.depth.encoding,
            step=depth_bytes * camera.width,
            **size,
        )
        k, D = camera.K, camera.sensor.distortion if camera.sensor else ()
        self.info = CameraInfo(
            header=Header(frame_id=profile.colour.frame_id),
            distortion_model=profile.distortion_model,
            d=[*D, *[0.0] * (COEFFICIENTS[profile.distortion_model] - len(D))],
            k=k.ravel().tolist(),
            r=np.eye(3).ravel().tolist(),
            p=np.hstack([k, np.zeros((3, 1))]).ravel().tolist(),
            **size,
        )

    def fill(self, stamp: Time, rgb: np.ndarray, depth: np.ndarray) -> None:
        """`rgb` (H, W, 3) uint8, `depth` (H, W) float32 [m], 0 where nothing was measured."""
        for message in (self.colour, self.depth, self.info):
            message.header.stamp = stamp
        self.colour.data = array("B", encode_colour(rgb, self._channels))
        self.depth.data = array("B", encode_depth(depth, self.depth.encoding, self._unit))


def encode_colour(rgb: np.ndarray, channels: tuple[int, ...]) -> bytes:
    """Bytes of an image (H, W, 3) uint8 RGB with `channels` out of red, green, blue and opaque, in their order."""
    if channels == COLOUR_CHANNELS["rgb8"]:
        return rgb.tobytes()
    opaque = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    return np.concatenate([rgb, opaque], 2)[..., list(channels)].tobytes()


def encode_depth(depth: np.ndarray, encoding: str, unit: float) -> bytes:
    """Depth image bytes after REP-118: whole units [m], 0 for no measurement; or floats in units, infinity for none."""
    if encoding == "16UC1":
        return np.minimum(np.rint(depth * (1 / unit)), 65535).astype("<u2").tobytes()
    return np.where(depth > 0, depth * (1 / unit), np.inf).astype("<f4").tobytes()


def copied(message: Any) -> Any:
    """A message whose header and data may be changed; large arrays are shared until they are replaced."""
    other = type(message)(**{name: getattr(message, name) for name in message.get_fields_and_field_types()})
    other.header = Header(
        stamp=Time(sec=message.header.stamp.sec, nanosec=message.header.stamp.nanosec),
        frame_id=message.header.frame_id,
    )
    return other


def joint_state_message(stamp: Time, names: Sequence[str], position: np.ndarray, velocity: np.ndarray) -> JointState:
    return JointState(
        header=Header(stamp=stamp), name=list(names), position=position.tolist(), velocity=velocity.tolist()
    )


def arm_watch_message(stamp: Time, seen: Watched, faults: list[str]) -> ArmWatch:
    return ArmWatch(
        header=Header(stamp=stamp),
        commanded_speed=seen.commanded_speed,
        arm_speed=seen.arm_speed,
        tool_speed=seen.tool_speed,
        velocity_share=seen.velocity_share,
        position_excess=seen.position_excess,
        joint=seen.position_joint or seen.velocity_joint,
        faults=faults,
    )


def pose_message(position: np.ndarray, quaternion: np.ndarray) -> Pose:
    """Position (3,) [m] and quaternion (4,) x y z w."""
    point = PointMessage(**dict(zip("xyz", map(float, position), strict=True)))
    return Pose(position=point, orientation=Quaternion(**dict(zip("xyzw", map(float, quaternion), strict=True))))


def stamped_pose(stamp: Time, frame_id: str, position: np.ndarray, quaternion: np.ndarray) -> PoseStamped:
    return PoseStamped(header=Header(stamp=stamp, frame_id=frame_id), pose=pose_message(position, quaternion))


def from_trajectory(message: JointTrajectory) -> tuple[list[str], int, list[Point]]:
    """Names, start [ns] (0: now) and waypoints of a trajectory."""
    points = [
        Point(p.time_from_start.sec * NS_PER_S + p.time_from_start.nanosec, p.positions, p.velocities)
        for p in message.points
    ]
    return list(message.joint_names), to_ns(message.header.stamp), points
