"""Messages of the first version as those of today: a point of one object has become a list of objects, one of the end effector a tool.

A bag carries the definitions that it was recorded with, so its messages are read as they were; what they did not say is NaN.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Pose, Twist, Vector3
from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Belief, Command, ObjectState, ObjectTrack, Observation, Plan, ToolState

NAN = float("nan")
NAME = "object_0"  # there was one
# By type: fields that old messages did not have, so that they cannot be compared.
UNKNOWN = {
    "wm_msgs/msg/Observation": ("tool.yaw", "tool.pitch"),
    "wm_msgs/msg/Belief": ("tool.yaw", "tool.pitch", "tool_target.yaw", "tool_target.pitch", "tool_target.opening"),
    "wm_msgs/msg/Command": tuple(
        f"{tool}.{name}" for tool in ("tool_start", "tool_end") for name in ("yaw", "pitch", "opening")
    ),
    "wm_msgs/msg/Plan": ("tool.position.z", "tool.yaw", "tool.pitch", "tool.opening"),
}


def present(kind: str, message: Any) -> Any:
    """A message of any recording as one of today: a deserialised message of the type `kind`."""
    old = _OLD.get(kind)
    return old.made(message) if old is not None and hasattr(message, old.field) else message


def is_old(kind: str, definition: str) -> bool:
    """Whether messages of a type that were recorded with a definition (ros2msg) are of the first version."""
    return kind in _OLD and bool(definition) and _has_old_field(kind, definition)


def present_data(kind: str, definition: str, data: bytes) -> bytes:
    """Serialised message of today for one of the first version, which was recorded with a definition (ros2msg)."""
    message = _store(kind, definition).deserialize_cdr(data, kind)
    return serialize_message(_OLD[kind].made(message))


@cache
def _store(kind: str, definition: str) -> Typestore:
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(definition, kind))
    return store


@cache
def _has_old_field(kind: str, definition: str) -> bool:
    return any(name == _OLD[kind].field for name, _ in _store(kind, definition).fielddefs[kind][1])


def _observation(old: Any) -> Observation:
    return Observation(
        header=_header(old.header),
        model_id=old.model_id,
        embedding=old.embedding.tolist(),
        objects=[_object(old, 0.0)],
        observed_fraction=float(old.observed_fraction),
        tool=_tool(old.ee),
        cameras=list(old.cameras),
        encode_ms=float(old.encode_ms),
    )


def _belief(old: Any) -> Belief:
    return Belief(
        header=_header(old.header),
        model_id=old.model_id,
        mean=old.mean.tolist(),
        variance=old.variance.tolist(),
        objects=[_object(old, float(old.time_unseen))],
        tool=_tool(old.ee),
        tool_target=_tool(old.ee_target),
        surprise=float(old.surprise),
        encode_ms=float(old.encode_ms),
        filter_ms=float(old.filter_ms),
    )


def _plan(old: Any) -> Plan:
    kept = ("model_id", "planner", "step_duration", "horizon", "action_size", "cost", "uncertainty", "candidates")
    more = ("iterations", "deadline_missed", "delay", "plan_ms")
    return Plan(
        header=_header(old.header),
        actions=old.actions.tolist(),
        objects=[ObjectTrack(id=NAME, poses=[Pose(position=_point(point)) for point in old.object])],
        tool=[_tool(point) for point in old.ee],
        cost_names=list(old.cost_names),
        cost_values=old.cost_values.tolist(),
        **{name: getattr(old, name) for name in (*kept, *more)},
    )


def _command(old: Any) -> Command:
    trajectory = old.trajectory
    points = [
        JointTrajectoryPoint(
            positions=list(map(float, point.positions)),
            velocities=list(map(float, point.velocities)),
            accelerations=list(map(float, point.accelerations)),
            effort=list(map(float, point.effort)),
            time_from_start=_duration(point.time_from_start),
        )
        for point in trajectory.points
    ]
    return Command(
        header=_header(old.header),
        effective=_time(old.effective),
        action=list(map(float, old.action)),
        tool_start=_tool(old.ee_start),
        tool_end=_tool(old.ee_end),
        trajectory=JointTrajectory(
            header=_header(trajectory.header), joint_names=list(trajectory.joint_names), points=points
        ),
        status=old.status,
        reason=old.reason,
    )


class _Old(NamedTuple):
    """What was another message in the first version."""

    field: str  # that only the old message has
    made: Callable[[Any], Any]  # of an old message: that of today


_OLD = {
    "wm_msgs/msg/Observation": _Old("object", _observation),
    "wm_msgs/msg/Belief": _Old("object", _belief),
    "wm_msgs/msg/Plan": _Old("object", _plan),
    "wm_msgs/msg/Command": _Old("ee_start", _command),
}


def _object(old: Any, time_unseen: float) -> ObjectState:
    nowhere = Vector3(x=NAN, y=NAN, z=NAN)
    return ObjectState(
        id=NAME,
        presence=1.0,
        visibility=float(old.visibility),
        time_unseen=time_unseen,
        pose=Pose(position=_point(old.object)),
        pose_std=[*map(float, old.object_std), NAN, NAN, NAN, NAN],
        twist=Twist(linear=nowhere, angular=nowhere),
        size=nowhere,
    )


def _tool(point: Any) -> ToolState:
    return ToolState(position=_point(point), yaw=NAN, pitch=NAN, opening=NAN)


def _point(point: Any) -> Point:
    return Point(x=float(point.x), y=float(point.y), z=float(point.z))


def _header(header: Any) -> Header:
    return Header(stamp=_time(header.stamp), frame_id=header.frame_id)


def _time(stamp: Any) -> Time:
    return Time(sec=stamp.sec, nanosec=stamp.nanosec)


def _duration(duration: Any) -> Duration:
    return Duration(sec=duration.sec, nanosec=duration.nanosec)
