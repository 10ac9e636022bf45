"""What has fallen over meanwhile is set upright first, and said where nothing can."""

import numpy as np
import pytest
from scene_examples import CUBE, HAND, LOWER, REGION, UPPER, believed
from scipy.spatial.transform import Rotation
from test_scene_pushing import TooHopeful

from wm_core.goal import PoseGoal
from wm_core.specs_schema import AXES
from wm_planner.scene.decision import Mode, SceneSettings
from wm_planner.scene.planner import ScenePlanner
from wm_planner.scene.righting import Righting

TALL = (0.04, 0.04, 0.09)
TOOL = np.array([0.4, 0.2, 0.15, 0.0, 0.0, 0.0])


def pursued(axes) -> tuple[ScenePlanner, object]:
    """A planner that shall push a cube, and the belief in which what stood beside it lies."""
    belief = believed(cube=(CUBE, 0.5, -0.1, 0.0), tall=(TALL, 0.5, 0.15, 0.0))
    planner = ScenePlanner(TooHopeful(), HAND, LOWER, UPPER, REGION, SceneSettings(axes=axes))
    planner.pursue(PoseGoal({"x": 0.5, "y": -0.1}, 0.02, identity="cube"), belief)  # it is there already
    state = belief.state.copy()
    state[1, 2], state[1, 3:7] = 0.02, Rotation.from_euler("x", 90, degrees=True).as_quat()
    return planner, belief.at(state)


def test_a_goal_is_not_reached_while_something_lies():
    planner, lying = pursued(("x", "y", "yaw"))
    decision = planner.plan(lying, TOOL, np.zeros(6))
    assert decision.mode is Mode.FAILED and decision.reason == "'tall' has fallen over"


def test_a_hand_that_grips_and_leans_sets_it_upright():
    planner, lying = pursued(AXES)
    for _ in range(3):
        decision = planner.plan(lying, TOOL, np.zeros(6))
    assert decision.mode is Mode.RIGHT and decision.slot == 1


@pytest.mark.parametrize("roll", [90.0, -90.0])
def test_it_is_held_across_as_it_lies_and_as_high(roll):
    belief = believed(plank=((0.03, 0.09, 0.05), 0.5, 0.0, 0.0))
    belief.state[0, 2], belief.state[0, 3:7] = 0.045, Rotation.from_euler("y", roll, degrees=True).as_quat()
    righting = Righting(HAND, 0, LOWER, UPPER, np.full(6, 0.03))
    assert not righting.choose(belief, TOOL, []) and "90 mm thick" in righting.reason
