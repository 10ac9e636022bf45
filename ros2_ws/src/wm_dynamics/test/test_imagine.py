"""Requests to imagine: checked before anything is computed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_dynamics.imagine import ImagineError, draw_steps, parse_actions


def test_flat_actions_are_shaped():
    assert parse_actions(np.zeros(2 * 3 * 2), 2, 3, 2).shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("values", "branches", "horizon", "expected"),
    [
        (np.zeros(5), 1, 3, "1 x 3 x 2 numbers, got 5"),
        (np.full(6, np.nan), 1, 3, "finite"),
        (np.full(6, 1.5), 1, 3, r"-1\.\.1"),
        (np.zeros(0), 0, 3, "at least one"),
        (np.zeros(0), 1000, 1000, "at most"),
    ],
)
def test_bad_requests_are_refused(values, branches, horizon, expected):
    with pytest.raises(ImagineError, match=expected):
        parse_actions(values, branches, horizon, 2)


@given(st.integers(1, 100), st.integers(1, 8))
def test_drawn_steps_lie_in_the_horizon_and_end_with_it(horizon, most):
    steps = draw_steps(horizon, most)
    assert (
        steps == sorted(set(steps))
        and steps[0] >= 1
        and steps[-1] == (horizon if most > 1 else steps[-1])
        and len(steps) <= most
    )
