"""Pushes that begin where the last one has moved something, and not where it has not."""

import numpy as np
import pytest
from scene_examples import BAR, CUBE, HAND, LIMIT, LOWER, REGION, UPPER, believed

from wm_core.goal import PoseGoal
from wm_core.specs_schema import AXES
from wm_dynamics.scene_belief import SceneBelief
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


class Still:
    """A model in which nothing ever moves."""

    horizon, limit = 12, LIMIT

    def imagine(self, belief, tool, moves, before=None, *, every=False) -> SceneFutures:
        count, steps = moves.shape[:2]
        states = np.broadcast_to(belief.state, (1, count, steps, *belief.state.shape)).copy()
        path = np.asarray(tool, float).reshape(-1, 1, 6) + np.cumsum(moves, 1)
        return SceneFutures(states, np.zeros((*states.shape[:-1], 2)), np.zeros(states.shape[:-1]), path)


def pursuing(goal: PoseGoal, belief: SceneBelief, axes: tuple[str, ...] = ("x", "y", "yaw")) -> ScenePlanner:
    planner = ScenePlanner(Still(), HAND, LOWER, UPPER, REGION, SceneSettings(axes=axes))
    planner.pursue(goal, belief)
    return planner


def test_a_goal_goes_on_when_an_object_comes_and_ends_when_its_object_is_gone():
    goal = PoseGoal({"x": 0.62, "y": 0.0}, 0.02, identity="cube")
    planner = pursuing(goal, believed(cube=(CUBE, 0.5, 0.0, 0.0)))
    tool, before = np.array([0.4, 0.1, 0.1, 0.0, 0.0, 0.0]), np.zeros(6)
    both = believed(bar=(BAR, 0.4, -0.2, 0.0), cube=(CUBE, 0.5, 0.0, 0.0))
    decision = planner.plan(both, tool, before)
    assert decision.mode is Mode.CHOOSE and decision.progress == {"cube": pytest.approx(0.12)}
    decision = planner.plan(believed(bar=(BAR, 0.4, -0.2, 0.0)), tool, before)
    assert decision.mode is Mode.FAILED and "got 'cube'" in decision.reason and not decision.move.any()
    assert planner.plan(both, tool, before).mode is Mode.FAILED  # until the goal is given again


def test_an_object_that_comes_does_not_make_the_hand_drop_what_it_holds():
    goal = PoseGoal({"x": 0.62, "y": 0.0}, 0.02, identity="cube")
    planner = pursuing(goal, believed(cube=(CUBE, 0.5, 0.0, 0.0)), AXES)
    tool, before = np.array([0.4, 0.1, 0.1, 0.0, 0.0, 0.0]), np.zeros(6)
    decision = planner.plan(believed(cube=(CUBE, 0.5, 0.0, 0.0)), tool, before)
    assert decision.mode is Mode.PICK
    goes_on = planner.plan(believed(cube=(CUBE, 0.5, 0.0, 0.0), bar=(BAR, 0.4, -0.2, 0.0)), tool, decision.move)
    assert goes_on.mode is Mode.PICK and goes_on.progress.keys() == {"cube"}
