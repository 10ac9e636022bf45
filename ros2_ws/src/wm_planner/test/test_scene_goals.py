"""What goals ask of objects, which goals are refused and why, and which object comes first."""

import numpy as np
import pytest
from scene_examples import CUBE, REGION, SLAB, believed

from wm_core.goal import AllOf, GoalError, PoseGoal, RelationGoal, UprightGoal, ZoneGoal
from wm_planner.scene.clearance import box_prisms
from wm_planner.scene.order import next_target
from wm_planner.scene.targets import TABLE, aim_of

TWO = believed(cube=(CUBE, 0.4, -0.1, 0.0), slab=(SLAB, 0.55, 0.1, 0.0))


def aim(goal, belief=TWO):
    return aim_of(goal, belief, *REGION)


def test_a_pose_is_a_target_and_the_others_stay():
    found = aim(PoseGoal({"x": 0.5, "y": -0.2, "yaw": 0.5}, 0.02, 0.1, "cube"))
    (target,) = found.targets
    assert target.slot == 0 and target.yaw == 0.5 and target.on == TABLE and found.kept == (1,)
    assert target.off(TWO.state) == pytest.approx(np.hypot(np.hypot(0.1, 0.1), 0.08 * 2 * np.sin(0.25)), rel=1e-3)
    assert not target.reached(TWO)


def test_relations_become_places():
    on = aim(RelationGoal("on", "cube", "slab")).targets[0]
    assert on.on == 1 and on.rest_height(TWO) == pytest.approx(0.04)
    left = aim(RelationGoal("left_of", "cube", "slab")).targets[0]
    assert left.place[1] > 0.1 + 0.06
    apart = aim(RelationGoal("apart", "cube", "slab", 0.3)).targets[0]
    assert np.linalg.norm(apart.place - [0.55, 0.1]) > 0.3


def test_a_zone_is_reached_by_the_shortest_way():
    (target,) = aim(ZoneGoal({"x": 0.5}, {"x": 0.6}, "cube")).targets
    np.testing.assert_allclose(target.place, [0.515, -0.1])


@pytest.mark.parametrize(
    ("goal", "why"),
    [
        (PoseGoal({"x": 0.5, "y": 0.0}, 0.02, identity="cup"), r"an object out of \['cube', 'slab'\], got 'cup'"),
        (PoseGoal({"x": 0.9, "y": 0.0}, 0.02, identity="cube"), "a place within x 0.3..0.7"),
        (PoseGoal({"x": 0.55, "y": 0.12}, 0.02, identity="cube"), "cannot be where 'slab' stays"),
        (
            AllOf(
                (
                    PoseGoal({"x": 0.4, "y": 0.0}, 0.02, identity="cube"),
                    PoseGoal({"x": 0.41, "y": 0.0}, 0.02, identity="slab"),
                )
            ),
            "cannot be in the same place",
        ),
        (
            AllOf((PoseGoal({"x": 0.4, "y": 0.0}, 0.02, identity="cube"), UprightGoal("cube"))),
            "one goal for each object, got 2 for 'cube'",
        ),
    ],
)
def test_goals_that_cannot_be_met_are_refused_with_the_reason(goal, why):
    with pytest.raises(GoalError, match=why):
        aim(goal)


def test_nothing_is_brought_to_where_something_stands_that_does_not_move():
    wall = box_prisms(np.array([[0.48, -0.3, 0.0, 0.5, 0.3, 0.1]]))
    with pytest.raises(GoalError, match="something stands there that does not move"):
        aim_of(PoseGoal({"x": 0.5, "y": 0.0}, 0.02, identity="cube"), TWO, *REGION, wall)
    place = aim_of(RelationGoal("in_front_of", "cube", "slab"), TWO, *REGION).targets[0].place
    there = box_prisms(np.array([[*(place - 0.01), 0.0, *(place + 0.01), 0.1]]))
    beside = aim_of(RelationGoal("in_front_of", "cube", "slab"), TWO, *REGION, there).targets[0].place
    assert np.linalg.norm(beside - place) > 0.01


def test_an_object_that_fell_off_the_table_is_not_a_goal():
    belief = believed(cube=(CUBE, 0.4, 0.0, 0.0))
    belief.present[0] = False
    with pytest.raises(GoalError, match="'cube' is not on the table any more"):
        aim(PoseGoal({"x": 0.5, "y": 0.0}, 0.02), belief)


def test_what_carries_comes_before_what_is_carried():
    belief = believed(cube=(CUBE, 0.4, -0.1, 0.0), slab=(SLAB, 0.55, 0.1, 0.0))
    both = AllOf((RelationGoal("on", "cube", "slab"), PoseGoal({"x": 0.5, "y": 0.0}, 0.02, identity="slab")))
    target = next_target(aim_of(both, belief, *REGION), belief, 0.65, REGION)
    assert target.slot == 1


def test_what_is_in_the_way_is_put_aside():
    belief = believed(cube=(CUBE, 0.4, -0.1, 0.0), other=(CUBE, 0.6, 0.1, 0.0))
    swap = AllOf(
        (
            PoseGoal({"x": 0.6, "y": 0.1}, 0.02, identity="cube"),
            PoseGoal({"x": 0.4, "y": -0.1}, 0.02, identity="other"),
        )
    )
    target = next_target(aim_of(swap, belief, *REGION), belief, 0.65, REGION)
    far = min(np.linalg.norm(target.place - place) for place in ([0.6, 0.1], [0.4, -0.1]))
    assert far > 0.05 and target.tolerance > 0.02
