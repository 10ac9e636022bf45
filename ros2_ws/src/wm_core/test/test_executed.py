"""The commanded tool position at any time, from what was really sent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.executed import ExecutedMotion
from wm_core.scene import ToolState
from wm_core.specs import ActionSpec

A, B, C = (ToolState.at(x, y, 0.027, opening=np.nan) for x, y in ((0.4, 0.0), (0.43, 0.0), (0.43, 0.03)))
ACTION = ActionSpec({"x": 0.03, "y": 0.03})


def between(start, end, share):
    return ToolState(start.values + share * (end.values - start.values))


def moved():
    motion = ExecutedMotion()
    motion.record(100, 100, A, B)
    motion.record(200, 100, B, C)
    return motion


def test_the_target_moves_linearly_and_then_stays():
    motion = moved()
    for t_ns, place in ((0, A), (150, between(A, B, 0.5)), (250, between(B, C, 0.5)), (10_000, C)):
        np.testing.assert_allclose(motion.target(t_ns).values, place.values)


def test_a_newer_motion_replaces_an_older_one_from_its_begin_on():
    motion = moved()
    motion.record(150, 100, between(A, B, 0.5), A)  # the guard turned back
    np.testing.assert_allclose(motion.target(140).values, between(A, B, 0.4).values)
    np.testing.assert_allclose(motion.target(1000).values, A.values)


def test_an_action_is_the_motion_between_two_times():
    np.testing.assert_allclose(moved().action(100, 200, ACTION), [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(moved().action(150, 250, ACTION), [0.5, 0.5])
    np.testing.assert_allclose(ExecutedMotion().action(0, 100, ACTION), [0, 0])


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
def test_actions_add_up(t0, t1, t2):
    t0, t1, t2 = sorted((t0, t1, t2))
    motion = moved()
    np.testing.assert_allclose(
        motion.action(t0, t1, ACTION) + motion.action(t1, t2, ACTION), motion.action(t0, t2, ACTION), atol=1e-9
    )


def test_memory_is_bounded():
    motion = ExecutedMotion(memory=4)
    for i in range(100):
        motion.record(100 * i, 100, A, B)
    assert len(motion) == 4


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="finite numbers"):
        ExecutedMotion().record(0, 1, ToolState.at(np.nan, 0.0, 0.0), A)
    with pytest.raises(ValueError, match="expected a tool state"):
        ExecutedMotion().record(0, 1, ToolState(np.zeros(3)), A)
    with pytest.raises(ValueError, match="none was recorded"):
        ExecutedMotion().target(0)
