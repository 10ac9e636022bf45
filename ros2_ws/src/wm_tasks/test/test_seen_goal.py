"""Goals about the simulator's objects, said of what cameras see of them."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.goal import AllOf, GoalError, PoseGoal, RelationGoal
from wm_core.rotations import wrapped
from wm_core.scene import SceneState
from wm_tasks.scenes.seen_goal import goal_as_seen


def scene(*objects: tuple[str, float, float, float]) -> SceneState:
    """Of names, x, y [m] and yaw [rad]."""
    made = SceneState.unknown(tuple(name for name, *_ in objects))
    for slot, (_, x, y, yaw) in enumerate(objects):
        made.position[slot] = x, y, 0.02
        made.rotation[slot] = 0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)
    return made


def test_a_pose_is_reached_in_truth_when_what_is_seen_is_where_its_goal_says():
    truth, seen = scene(("mug", 0.40, 0.10, 0.5)), scene(("object_0", 0.41, 0.10, 0.0))
    goal = goal_as_seen(PoseGoal({"x": 0.5, "y": 0.0, "yaw": 1.5}, 0.02, 0.1, "mug"), truth, seen)
    assert goal.identity == "object_0" and goal.pose["yaw"] == pytest.approx(1.0)
    # The object is brought there: its seen frame has moved with its true one.
    turn = 1.0
    off = np.array([np.cos(turn), np.sin(turn)]) * 0.01
    there = scene(("object_0", 0.5 + off[0], off[1], wrapped(0.0 + turn)))
    assert goal.distance(there) == pytest.approx(0.0, abs=1e-9)


def test_names_of_all_goals_are_those_of_perception():
    truth = scene(("mug", 0.4, 0.1, 0.0), ("box", 0.6, -0.1, 0.0))
    seen = scene(("object_0", 0.6, -0.1, 0.0), ("object_1", 0.4, 0.1, 0.0))
    goal = goal_as_seen(
        AllOf((RelationGoal("on", "mug", "box"), PoseGoal({"x": 0.5}, 0.02, identity="box"))), truth, seen
    )
    relation, pose = goal.parts
    assert (relation.identity, relation.other, pose.identity) == ("object_1", "object_0", "object_0")


def test_an_object_that_is_not_seen_is_named():
    truth, seen = scene(("mug", 0.4, 0.1, 0.0)), scene(("object_0", 0.6, -0.1, 0.0))
    with pytest.raises(GoalError, match="'mug' is not seen as one object"):
        goal_as_seen(PoseGoal({"x": 0.5}, 0.02, identity="mug"), truth, seen)
    with pytest.raises(GoalError, match="'mug' is not seen"):
        goal_as_seen(PoseGoal({"x": 0.5}, 0.02, identity="mug"), truth, replace(seen, position=np.full((1, 3), np.nan)))
