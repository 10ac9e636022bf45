"""Messages of the first version as those of today: a point of one object has become a list of objects, one of the end effector a tool.

A bag carries the definitions that it was recorded with, so its messages are read as they were; what they did not say is NaN.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Twist, Vector3
from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore
from std_msgs.msg import Header
from wm_msgs.msg import Belief, ObjectState, ObjectTrack, Observation, Plan, ToolState

NAN = float("nan")
NAME = "object_0"  # there was one
# By type: fields that old messages did not have, so that they cannot be compared.
UNKNOWN = {
    "wm_msgs/msg/Observation": ("tool.yaw", "tool.pitch"),
    "wm_msgs/msg/Belief": ("tool.yaw", "tool.pitch", "tool_target.yaw", "tool_target.pitch", "tool_target.opening"),
    "wm_msgs/msg/Plan": ("tool.position.z", "tool.yaw", "tool.pitch", "tool.opening"),
}


def present(kind: str, message: Any) -> Any:
    """A message of any recording as one of today: a deserialised message of the type `kind`."""
    made = _MADE.get(kind)
    return message if made is None or not hasattr(message, "object") else made(message)


def is_old(kind: str, definition: str) -> bool:
    """Whether messages of a type that were recorded with a definition (ros2msg) are of the first version."""
    return kind in _MADE and bool(definition) and _has_one_object(kind, definition)


def present_data(kind: str, definition: str, data: bytes) -> bytes:
    """Serialised message of today for one of the first version, which was recorded with a definition (ros2msg)."""
    message = _store(kind, definition).deserialize_cdr(data, kind)
    return serialize_message(_MADE[kind](message))


@cache
def _store(kind: str, definition: str) -> Typestore:
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(definition, kind))
    return store


@cache
def _has_one_object(kind: str, definition: str) -> bool:
    return any(name == "object" for name, _ in _store(kind, definition).fielddefs[kind][1])


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


_MADE: dict[str, Callable[[Any], Any]] = {
    "wm_msgs/msg/Observation": _observation,
    "wm_msgs/msg/Belief": _belief,
    "wm_msgs/msg/Plan": _plan,
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
    return Header(stamp=Time(sec=header.stamp.sec, nanosec=header.stamp.nanosec), frame_id=header.frame_id)
