"""The commanded tool position at any time, from what was really sent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.executed import ExecutedMotion

A, B, C = np.array([0.4, 0.0]), np.array([0.43, 0.0]), np.array([0.43, 0.03])


def moved():
    motion = ExecutedMotion()
    motion.record(100, 100, A, B)
    motion.record(200, 100, B, C)
    return motion


def test_the_target_moves_linearly_and_then_stays():
    motion = moved()
    np.testing.assert_allclose(motion.target(0), A)
    np.testing.assert_allclose(motion.target(150), (A + B) / 2)
    np.testing.assert_allclose(motion.target(250), (B + C) / 2)
    np.testing.assert_allclose(motion.target(10_000), C)


def test_a_newer_motion_replaces_an_older_one_from_its_begin_on():
    motion = moved()
    motion.record(150, 100, (A + B) / 2, A)  # the guard turned back
    np.testing.assert_allclose(motion.target(140), A + 0.4 * (B - A))
    np.testing.assert_allclose(motion.target(1000), A)


def test_an_action_is_the_motion_between_two_times():
    np.testing.assert_allclose(moved().action(100, 200, 0.03), [1.0, 0.0])
    np.testing.assert_allclose(moved().action(150, 250, 0.03), [0.5, 0.5])
    np.testing.assert_allclose(ExecutedMotion().action(0, 100, 0.03), [0, 0])


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
def test_actions_add_up(t0, t1, t2):
    t0, t1, t2 = sorted((t0, t1, t2))
    motion = moved()
    np.testing.assert_allclose(
        motion.action(t0, t1, 0.03) + motion.action(t1, t2, 0.03), motion.action(t0, t2, 0.03), atol=1e-9
    )


def test_memory_is_bounded():
    motion = ExecutedMotion(memory=4)
    for i in range(100):
        motion.record(100 * i, 100, A, B)
    assert len(motion) == 4


@pytest.mark.parametrize("start", [[np.nan, 0], [0, 0, 0]])
def test_nonsense_is_refused(start):
    with pytest.raises(ValueError, match="finite positions"):
        ExecutedMotion().record(0, 1, start, [0, 0])
    with pytest.raises(ValueError, match="none was recorded"):
        ExecutedMotion().target(0)
