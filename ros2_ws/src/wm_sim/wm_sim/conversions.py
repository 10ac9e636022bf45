"""Arrays of the simulator <-> ROS messages."""

from array import array
from collections.abc import Sequence

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
from wm_sim.controller import Point
from wm_sim.limit_watch import Watched

DEPTH_ENCODINGS = ("16UC1", "32FC1")


class CameraMessages:
    """The three messages of one camera, made once and filled per frame."""

    def __init__(self, camera: Camera, depth_encoding: str) -> None:
        header = {"frame_id": f"{camera.name}_color_optical_frame"}
        size = {"width": camera.width, "height": camera.height}
        depth_bytes = 2 if depth_encoding == "16UC1" else 4
        self.colour = Image(header=Header(**header), encoding="rgb8", step=3 * camera.width, **size)
        self.depth = Image(header=Header(**header), encoding=depth_encoding, step=depth_bytes * camera.width, **size)
        k = camera.K
        self.info = CameraInfo(
            header=Header(**header),
            distortion_model="plumb_bob",
            d=[0.0] * 5,
            k=k.ravel().tolist(),
            r=np.eye(3).ravel().tolist(),
            p=np.hstack([k, np.zeros((3, 1))]).ravel().tolist(),
            **size,
        )

    def fill(self, stamp: Time, rgb: np.ndarray, depth: np.ndarray) -> None:
        """`rgb` (H, W, 3) uint8, `depth` (H, W) float32 [m], 0 where nothing was measured."""
        for message in (self.colour, self.depth, self.info):
            message.header.stamp = stamp
        self.colour.data = array("B", rgb.tobytes())
        self.depth.data = array("B", encode_depth(depth, self.depth.encoding))


def encode_depth(depth: np.ndarray, encoding: str) -> bytes:
    """Depth image bytes after REP-118: whole millimetres, 0 for no measurement; or metres, infinity for none."""
    if encoding == "16UC1":
        return np.minimum(np.rint(1000 * depth), 65535).astype("<u2").tobytes()
    return np.where(depth > 0, depth, np.inf).astype("<f4").tobytes()


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
