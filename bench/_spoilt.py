"""Commands that no planner should send."""

import numpy as np
from wm_msgs.msg import Command

from wm_core.stamps import to_msg


def spoilt(message: Command, kind: str, index: int, now_ns: int) -> Command:
    """A copy of a command with one fault."""
    other = Command(**{name: getattr(message, name) for name in message.get_fields_and_field_types()})
    other.trajectory = type(message.trajectory)(joint_names=message.trajectory.joint_names)
    other.trajectory.points = [
        type(point)(positions=point.positions, time_from_start=point.time_from_start)
        for point in message.trajectory.points
    ]
    stamp = to_msg(now_ns - 20_000_000) if kind != "stale" else to_msg(now_ns - 3_000_000_000)
    other.header = type(message.header)(stamp=stamp, frame_id=message.header.frame_id)
    other.effective = stamp
    for point in other.trajectory.points:
        q = np.array(point.positions)
        if kind == "nan":
            q[0] = np.nan
        elif kind == "huge":
            q = q + 2.0
        elif kind == "contradictory":
            q = q + 0.05 * (-1) ** index
        point.positions = q.tolist()
    return other
