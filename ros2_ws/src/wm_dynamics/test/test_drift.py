"""The drift watch: errors as on held-out data are no drift, larger ones are, and only while the object moves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_dynamics.drift import RECENT, DriftState, DriftWatch

STEP_NS = 100_000_000
EXPECTED = 0.003


def watch(errors, stride: float = 0.01, watched: DriftWatch | None = None, first: int = 0) -> list[DriftState]:
    """What is said of an object that moves `stride` [m] a step, with these prediction errors [m]."""
    watched = watched or DriftWatch(EXPECTED, STEP_NS)
    places = np.array([0.5, 0.0]) + np.arange(len(errors))[:, None] * [0.0, stride]
    return [
        watched.update((first + i + 1) * STEP_NS, float(e), xy, False)
        for i, (e, xy) in enumerate(zip(errors, places, strict=True))
    ]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_errors_as_expected_are_no_drift_however_long(seed: int):
    errors = EXPECTED * np.random.default_rng(seed).lognormal(-0.2, 0.6, 1000)  # their mean is about the expected one
    assert max(state.level for state in watch(errors)) < 1


@pytest.mark.parametrize(("factor", "within"), [(2.0, 100), (3.0, 50), (6.0, 30)])
def test_larger_errors_are_drift_after_some_tens_of_moving_steps(factor: float, within: int):
    errors = factor * EXPECTED * np.random.default_rng(0).lognormal(-0.2, 0.6, 200)
    states = watch(errors)
    first = next(i for i, state in enumerate(states) if state.level > 1)
    assert 10 < first < within
    assert states[first].since_ns < (first + 1) * STEP_NS and states[first].steps == min(first, RECENT)
    assert states[-1].error == pytest.approx(np.mean(errors[-RECENT:]))


def test_a_world_that_is_as_before_again_is_believed():
    watched = DriftWatch(EXPECTED, STEP_NS)
    assert watch(np.full(100, 5 * EXPECTED), watched=watched)[-1].level > 1
    assert watch(np.full(200, 0.8 * EXPECTED), watched=watched, first=100)[-1].level == 0


def test_an_object_that_rests_or_is_put_elsewhere_says_nothing():
    assert watch(np.full(100, 0.05), stride=0.0)[-1] == DriftState(
        0.0, 0, pytest.approx(math.nan, nan_ok=True), EXPECTED, 0
    )
    assert watch(np.full(100, 0.05), stride=0.1)[-1].steps == 0


def test_gaps_restarts_and_unseen_objects_say_nothing():
    watched = DriftWatch(EXPECTED, STEP_NS)
    for i in range(1, 200):
        seen = np.array([0.5, 0.01 * (i % 20)])
        watched.update(3 * i * STEP_NS, 0.05, seen, False)  # frames were lost
        watched.update((3 * i + 1) * STEP_NS, 0.05, seen + 0.01, True)  # the belief began anew
        watched.update((3 * i + 2) * STEP_NS, math.nan, None, False)
    assert watched.update(10**12, 0.05, np.zeros(2), False).level == 0


def test_a_bundle_that_does_not_say_what_to_expect_is_not_judged():
    state = watch(np.full(100, 0.05), watched=DriftWatch(None, STEP_NS))[-1]
    assert state.level == 0 and math.isnan(state.expected)
