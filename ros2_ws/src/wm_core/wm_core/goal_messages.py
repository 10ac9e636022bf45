"""Goals about scenes to messages and back."""

import math
from collections.abc import Mapping

from geometry_msgs.msg import Point
from std_msgs.msg import Header
from wm_msgs.msg import Goal as GoalMessage
from wm_msgs.msg import GoalPart

from wm_core.goal import AllOf, Goal, GoalError, PoseGoal, RelationGoal, UprightGoal, ZoneGoal
from wm_core.specs_schema import POSITION

POSE_AXES = ("x", "y", "yaw")
NOWHERE = math.nan


def scene_goal_message(goal: Goal, frame: str = "") -> GoalMessage:
    """A message of kind SCENE; `frame` of positions, empty: the planner's table frame. Raises GoalError for what no message says."""
    message = GoalMessage(kind=GoalMessage.SCENE, parts=[_part(each) for each in goal.parts])
    message.object_pose.header = Header(frame_id=frame)
    return message


def scene_goal(message: GoalMessage, table_frame: str, tolerance: float, yaw_tolerance: float) -> Goal:
    """The goal of a message of kind SCENE, or of OBJECT_POSE for the only object; tolerances [m], [rad] where it has none. GoalError."""
    frame = message.object_pose.header.frame_id
    if frame not in ("", table_frame):
        raise GoalError(
            f"expected a goal in frame '{table_frame}', got '{frame}'; transform it first, or leave its frame_id empty"
        )
    if message.kind == GoalMessage.OBJECT_POSE:
        place = message.object_pose.pose.position
        return PoseGoal({"x": place.x, "y": place.y}, message.tolerance or tolerance)
    if message.kind != GoalMessage.SCENE:
        raise GoalError(
            f"expected a goal of kind SCENE or OBJECT_POSE, got {message.kind}: the planner of scenes pursues no other"
        )
    parts = tuple(_goal(part, tolerance, yaw_tolerance) for part in message.parts)
    if not parts:
        raise GoalError("expected at least one part of a goal of kind SCENE, got none")
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _part(goal: Goal) -> GoalPart:
    part = GoalPart(x=NOWHERE, y=NOWHERE, yaw=NOWHERE)
    if isinstance(goal, PoseGoal):
        if unknown := set(goal.pose) - set(POSE_AXES):
            raise GoalError(f"expected a pose of some of {list(POSE_AXES)}, got {sorted(unknown)} too")
        part.kind, part.object, part.tolerance = GoalPart.POSE, goal.identity, float(goal.tolerance)
        part.yaw_tolerance = float(goal.yaw_tolerance) if math.isfinite(goal.yaw_tolerance) else 0.0
        part.x, part.y, part.yaw = (float(goal.pose.get(axis, NOWHERE)) for axis in POSE_AXES)
    elif isinstance(goal, ZoneGoal):
        part.kind, part.object = GoalPart.ZONE, goal.identity
        part.lower, part.upper = (_corner(side) for side in (goal.lower, goal.upper))
    elif isinstance(goal, RelationGoal):
        part.kind, part.object, part.other = GoalPart.RELATION, goal.identity, goal.other
        part.relation, part.gap = goal.relation, float(goal.gap)
    elif isinstance(goal, UprightGoal):
        part.kind, part.object, part.tolerance = GoalPart.UPRIGHT, goal.identity, float(goal.tolerance)
    else:
        raise GoalError(f"expected goals about poses, zones, relations and uprightness, got {type(goal).__name__}")
    return part


def _goal(part: GoalPart, tolerance: float, yaw_tolerance: float) -> Goal:
    if part.kind == GoalPart.POSE:
        pose = {axis: float(getattr(part, axis)) for axis in POSE_AXES if not math.isnan(getattr(part, axis))}
        return PoseGoal(pose, part.tolerance or tolerance, part.yaw_tolerance or yaw_tolerance, part.object)
    if part.kind == GoalPart.ZONE:
        lower, upper = (_bounds(side) for side in (part.lower, part.upper))
        return ZoneGoal(lower, upper, part.object)
    if part.kind == GoalPart.RELATION:
        return RelationGoal(part.relation, part.object, part.other, part.gap)
    if part.kind == GoalPart.UPRIGHT:
        return UprightGoal(part.object, part.tolerance) if part.tolerance else UprightGoal(part.object)
    raise GoalError(f"expected a part of kind POSE, ZONE, RELATION or UPRIGHT, got {part.kind}")


def _corner(bounds: Mapping[str, float]) -> Point:
    return Point(**{axis: float(bounds.get(axis, NOWHERE)) for axis in POSITION})


def _bounds(corner: Point) -> dict[str, float]:
    return {axis: float(getattr(corner, axis)) for axis in POSITION if not math.isnan(getattr(corner, axis))}
