"""Goals about scenes as messages: what is sent is what is pursued."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_msgs.msg import Goal as GoalMessage
from wm_msgs.msg import GoalPart

from wm_core.goal import AllOf, ExploreGoal, GoalError, PoseGoal, RelationGoal, UprightGoal, ZoneGoal
from wm_core.goal_messages import scene_goal, scene_goal_message

METRES = st.floats(-1, 1, width=32)
NAMES = st.sampled_from(["mug", "box", "object_3"])
POSES = st.builds(
    lambda pose, tolerance, yaw_tolerance, name: PoseGoal(pose, tolerance, yaw_tolerance, name),
    st.dictionaries(st.sampled_from(["x", "y", "yaw"]), METRES, min_size=1),
    st.floats(0.0625, 0.25, width=32),
    st.floats(0.0625, 0.5, width=32),
    NAMES,
)
ZONES = st.builds(
    lambda low, high, name: ZoneGoal({"x": low}, {"x": high}, name), st.floats(-1, 0), st.floats(0.1, 1), NAMES
)
RELATIONS = st.builds(lambda gap: RelationGoal("left_of", "mug", "box", gap), st.floats(0, 0.5, width=32))
UPRIGHT = st.builds(UprightGoal, NAMES, st.floats(0.125, 1.0, width=32))


@given(st.lists(POSES | ZONES | RELATIONS | UPRIGHT, min_size=1, max_size=4))
def test_a_goal_comes_back_as_it_was_sent(goals):
    goal = goals[0] if len(goals) == 1 else AllOf(tuple(goals))
    assert scene_goal(scene_goal_message(goal, "table"), "table", 0.02, 0.1) == goal


def test_what_is_not_said_is_the_default():
    message = GoalMessage(kind=GoalMessage.SCENE, parts=[GoalPart(x=0.5, y=math.nan, yaw=math.nan, object="mug")])
    assert scene_goal(message, "table", 0.02, 0.1) == PoseGoal({"x": 0.5}, 0.02, 0.1, "mug")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (GoalMessage(kind=GoalMessage.SCENE), "at least one part"),
        (GoalMessage(kind=GoalMessage.EXPLORE), "kind SCENE"),
        (GoalMessage(kind=GoalMessage.SCENE, parts=[GoalPart(kind=9)]), "got 9"),
        (GoalMessage(kind=GoalMessage.SCENE, parts=[GoalPart(x=math.inf)]), "finite"),
        (scene_goal_message(PoseGoal({"x": 0.5}, 0.02), "map"), "frame"),
    ],
)
def test_what_cannot_be_pursued_is_refused_with_the_reason(message, expected):
    with pytest.raises(GoalError, match=expected):
        scene_goal(message, "table", 0.02, 0.1)


def test_no_message_says_to_explore_a_scene():
    with pytest.raises(GoalError, match="ExploreGoal"):
        scene_goal_message(ExploreGoal())
