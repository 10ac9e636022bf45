"""Scenes and tools <-> ROS messages."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Twist, Vector3
from wm_msgs.msg import ObjectState, ObjectTrack
from wm_msgs.msg import ToolState as ToolMessage

from wm_core.scene import ERROR_FIELDS, SceneState, ToolState
from wm_core.specs_schema import VELOCITY

POSE_ERRORS = tuple(name for name in ERROR_FIELDS if name not in VELOCITY)


def tool_message(tool: ToolState) -> ToolMessage:
    """Message of one tool state (6,)."""
    x, y, z, yaw, pitch, opening = map(float, tool.values)
    return ToolMessage(position=Point(x=x, y=y, z=z), yaw=yaw, pitch=pitch, opening=opening)


def tool_state(message: ToolMessage) -> ToolState:
    """Tool state (6,) of a message."""
    place = message.position
    return ToolState.at(place.x, place.y, place.z, message.yaw, message.pitch, message.opening)


def tool_messages(path: ToolState) -> list[ToolMessage]:
    """Messages of a path (H, 6)."""
    return [tool_message(ToolState(values)) for values in path.values]


def object_messages(
    scene: SceneState,
    visibility: Sequence[float] | np.ndarray,
    time_unseen: Sequence[float] | np.ndarray | None = None,
    pose_std: np.ndarray | None = None,
) -> list[ObjectState]:
    """Messages of the K objects of a scene at one instant, with visibility and seconds out of sight (default 0) of each.

    The shape's code is taken for the outline. `pose_std` (K, 6): deviations, where they are known otherwise than as roots of the
    scene's variances.
    """
    std = scene.std(POSE_ERRORS) if pose_std is None else pose_std
    unseen = np.zeros(scene.slots) if time_unseen is None else time_unseen
    return [
        ObjectState(
            id=name,
            presence=float(scene.presence[slot]),
            visibility=float(visibility[slot]),
            time_unseen=float(unseen[slot]),
            pose=_pose(scene.position[slot], scene.rotation[slot]),
            pose_std=np.asarray(std[slot], np.float32),
            twist=Twist(linear=_vector(scene.velocity[slot, :3]), angular=_vector(scene.velocity[slot, 3:])),
            size=_vector(scene.size[slot]),
            outline=np.asarray(scene.shape[slot], np.float32),
        )
        for slot, name in enumerate(scene.identities)
    ]


def scene_state(messages: Sequence[ObjectState]) -> SceneState:
    """The scene of K objects at one instant; rotations and their variances are NaN where they were not estimated."""
    scene = SceneState.unknown([message.id for message in messages])
    for slot, message in enumerate(messages):
        place, turn, twist, size = message.pose.position, message.pose.orientation, message.twist, message.size
        scene.presence[slot] = message.presence
        scene.position[slot] = place.x, place.y, place.z
        scene.variance[slot, : len(POSE_ERRORS)] = np.asarray(message.pose_std, float) ** 2
        if np.isfinite(message.pose_std[ERROR_FIELDS.index("yaw")]):
            scene.rotation[slot] = turn.x, turn.y, turn.z, turn.w
        linear, angular = twist.linear, twist.angular
        scene.velocity[slot] = linear.x, linear.y, linear.z, angular.x, angular.y, angular.z
        scene.size[slot] = size.x, size.y, size.z
    outlines = [np.asarray(message.outline, float) for message in messages]
    if len({len(outline) for outline in outlines}) == 1:
        scene = replace(scene, shape=np.stack(outlines))
    return scene


def object_xy(objects: Sequence[ObjectState], slot: int = 0) -> np.ndarray:
    """Where one of the objects of a message is (2,) [m]; raises ValueError where it is not among them."""
    if slot >= len(objects):
        raise ValueError(f"expected at least {slot + 1} objects, got {len(objects)}")
    place = objects[slot].pose.position
    return np.array([place.x, place.y])


def track_messages(
    path: SceneState, std: np.ndarray | None = None, interval: np.ndarray | None = None
) -> list[ObjectTrack]:
    """Messages of the K objects of a path (H, K, ...); `std`, `interval` (H, K) [m], None: not known."""
    return [
        ObjectTrack(
            id=name,
            poses=[_pose(*each) for each in zip(path.position[:, slot], path.rotation[:, slot], strict=True)],
            position_std=[] if std is None else std[:, slot].astype(float).tolist(),
            position_interval=[] if interval is None else interval[:, slot].astype(float).tolist(),
        )
        for slot, name in enumerate(path.identities)
    ]


def _pose(position: np.ndarray, rotation: np.ndarray) -> Pose:
    x, y, z = map(float, position)
    qx, qy, qz, qw = map(float, rotation) if np.isfinite(rotation).all() else (0.0, 0.0, 0.0, 1.0)
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def _vector(values: np.ndarray) -> Vector3:
    x, y, z = map(float, values)
    return Vector3(x=x, y=y, z=z)
