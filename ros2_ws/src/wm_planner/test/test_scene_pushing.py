"""Pushes that begin where the last one has moved something, and not where it has not."""

import numpy as np
from scene_examples import CUBE, HAND, LIMIT, LOWER, REGION, UPPER, believed

from wm_core.goal import PoseGoal
from wm_dynamics.scene_model import SceneFutures
from wm_planner.scene.decision import Mode, SceneSettings
from wm_planner.scene.planner import ScenePlanner
from wm_planner.scene.pushing import SAME_TOUCH


class TooHopeful:
    """A model in which everything moves with the tool."""

    horizon, limit = 12, LIMIT

    def imagine(self, belief, tool, moves, before=None, *, every=False) -> SceneFutures:
        count, steps = moves.shape[:2]
        states = np.broadcast_to(belief.state, (1, count, steps, *belief.state.shape)).copy()
        way = np.cumsum(moves, 1)
        states[..., :2] += way[None, :, :, None, :2]
        path = np.asarray(tool, float).reshape(-1, 1, 6) + way
        return SceneFutures(states, np.zeros((*states.shape[:-1], 2)), np.ones(states.shape[:-1]), path)


def test_a_touch_that_moved_nothing_is_not_tried_again():
    belief = believed(cube=(CUBE, 0.5, 0.0, 0.0))
    settings = SceneSettings(axes=("x", "y", "yaw"))
    planner = ScenePlanner(TooHopeful(), HAND, LOWER, UPPER, REGION, settings)
    planner.pursue(PoseGoal({"x": 0.62, "y": 0.0}, 0.02, identity="cube"), belief)
    tool, before = np.array([0.4, 0.1, 0.1, 0.0, 0.0, 0.0]), np.zeros(6)
    begun, last = [], Mode.CHOOSE
    while len(begun) < 4:  # the cube stays where it is, whatever is done
        decision = planner.plan(belief, tool, before)
        assert decision.mode is not Mode.FAILED, decision.reason
        if decision.mode is Mode.PUSH and last is not Mode.PUSH:
            begun.append(tool[:3])
        tool, before, last = tool + decision.move, decision.move, decision.mode
    alike = [(np.abs(one - other) < SAME_TOUCH / 2).all() for i, one in enumerate(begun) for other in begun[:i]]
    assert not any(alike), np.round(begun, 3)
