"""Goals about objects of the simulator's truth, said of the objects that perception sees: by its names, in its frames."""

from dataclasses import replace

import numpy as np

from wm_core.goal import AllOf, Goal, GoalError, PoseGoal, RelationGoal, UprightGoal, ZoneGoal
from wm_core.outline import turned
from wm_core.scene import SceneState

NEAREST = 0.04  # [m] between what is seen and the object that it is


def goal_as_seen(goal: Goal, truth: SceneState, seen: SceneState) -> Goal:
    """The same goal. Raises GoalError for an object that was not seen as one."""
    if isinstance(goal, AllOf):
        return AllOf(tuple(goal_as_seen(each, truth, seen) for each in goal.parts))
    if isinstance(goal, RelationGoal):
        slots = [_seen(truth.slot(name), truth, seen) for name in (goal.identity, goal.other)]
        return replace(goal, identity=seen.identities[slots[0]], other=seen.identities[slots[1]])
    if not isinstance(goal, PoseGoal | ZoneGoal | UprightGoal):
        raise GoalError(f"expected a goal about objects, got {type(goal).__name__}")
    slot = truth.slot(goal.identity)
    one = _seen(slot, truth, seen)
    named = replace(goal, identity=seen.identities[one])
    return replace(named, pose=_pose(named, slot, one, truth, seen)) if isinstance(named, PoseGoal) else named


def _pose(goal: PoseGoal, slot: int, one: int, truth: SceneState, seen: SceneState) -> dict[str, float]:
    """Where the seen frame is to be: it stands as it does now to the true one. A free yaw is taken to stay."""
    pose, turn = dict(goal.pose), 0.0
    if "yaw" in pose:
        turn = pose["yaw"] - float(truth.yaw[slot])
        pose["yaw"] = float(seen.yaw[one]) + turn
    off = turned((seen.position[one, :2] - truth.position[slot, :2])[None], turn)[0]
    for axis, by in zip("xy", off, strict=True):
        if axis in pose:
            pose[axis] += float(by)
    return pose


def seen_slot(slot: int, truth: SceneState, seen: SceneState) -> int | None:
    """The slot of what is seen where an object truly is; None where nothing is."""
    far = np.linalg.norm(seen.position[:, :2] - truth.position[slot, :2], axis=1)
    if not (far < NEAREST).any():
        return None
    return int(np.nanargmin(far))


def _seen(slot: int, truth: SceneState, seen: SceneState) -> int:
    nearest = seen_slot(slot, truth, seen)
    if nearest is None:
        raise GoalError(f"'{truth.identities[slot]}' is not seen as one object")
    return nearest
