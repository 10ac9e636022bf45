"""The closed loop without ROS."""

import numpy as np
import pytest

from wm_core.bundle import BundleError
from wm_tasks.closed_loop import ClosedLoop


@pytest.fixture(scope="module")
def loop() -> ClosedLoop:
    return ClosedLoop.load("tabletop_block")


def test_an_episode_is_the_same_every_time(loop):
    first, second = (loop.episode(10_000, max_steps=8) for _ in range(2))
    assert first.final_distance_m == second.final_distance_m
    assert first.start_distance_m >= 0.10 and first.steps == 8 and first.time_s == pytest.approx(0.8)
    for a, b in zip(first.trace, second.trace, strict=True):
        np.testing.assert_array_equal(a.observation.bev, b.observation.bev)
        np.testing.assert_array_equal(a.believed_xy, b.believed_xy)
        np.testing.assert_array_equal(a.action, b.action)


def test_the_model_pushes_the_block_to_its_goal_from_pixels(loop):
    result = loop.episode(10_001)
    assert result.success_3cm and result.reached
    assert {step.verdict for step in result.trace} == {"pass"}
    errors = [np.linalg.norm(step.believed_xy - step.object_xy) for step in result.trace[3:]]
    assert np.median(errors) < 0.02


def test_a_policy_on_the_true_state_replaces_perception_and_planner(loop):
    away = loop.episode(10_000, goal=(0.5, 0.1), max_steps=5, policy=lambda tool, object_xy, goal: np.array([0.0, 1.0]))
    assert away.goal == (0.5, 0.1)
    assert all(step.observation is None and step.plan is None for step in away.trace)
    travelled = away.trace[-1].ee_target - away.trace[0].ee_target
    np.testing.assert_allclose(travelled, [0.0, 4 * loop.bundle.action.scale["y"]], atol=1e-3)


def test_the_oracle_knows_where_the_object_is(loop):
    trace = loop.episode(10_002, max_steps=5, oracle=True).trace
    np.testing.assert_allclose(trace[-1].believed_xy, trace[-1].object_xy, atol=3e-3)


def test_a_hidden_object_is_not_forgotten(loop):
    trace = loop.episode(10_003, max_steps=12, hide=lambda index, _: 4 <= index < 9).trace
    assert [step.hidden for step in trace] == [4 <= i < 9 for i in range(12)]
    assert all(step.observation.visibility < 0.5 for step in trace[4:9])
    assert trace[8].belief.time_unseen == pytest.approx(0.5)
    np.testing.assert_allclose(trace[8].believed_xy, trace[8].object_xy, atol=0.03)


@pytest.mark.parametrize(("trust", "planner"), [(10.0, "policy"), (0.0, "icem")])
def test_the_bundle_s_policy_moves_the_arm_where_it_is_trusted(straight, trust, planner):
    loop = ClosedLoop.load("tabletop_block", straight, "policy", policy_trust=trust)
    trace = loop.episode(10_000, max_steps=3).trace
    assert {step.planner for step in trace} == {planner}
    assert all(np.linalg.norm(step.action) > 0.1 for step in trace)


def test_a_policy_that_the_bundle_does_not_bring_is_refused(bare):
    with pytest.raises(BundleError, match="expected a bundle with a policy"):
        ClosedLoop.load("tabletop_block", bare, "policy")


def test_a_bundle_of_shorter_steps_is_asked_as_often(fast):
    loop = ClosedLoop.load("tabletop_block", fast, task="push_20hz")
    result = loop.episode(10_000, max_steps=8)
    assert np.diff([step.stamp_ns for step in result.trace]).tolist() == [50_000_000] * 7
    assert result.time_s == pytest.approx(0.4) and all(step.plan is not None for step in result.trace)
    travelled = np.linalg.norm(np.diff([step.ee_target for step in result.trace], axis=0), axis=1)
    assert 0 < travelled.max() <= 0.015 + 1e-6
