"""About one image set a step of the model is used."""

import numpy as np
import pytest

from wm_perception.pace import Pace

STEP_NS = 100_000_000


@pytest.mark.parametrize(("rate", "used_hz"), [(5, 5), (10, 10), (15, 15), (25, 12.5), (30, 10), (60, 10), (90, 10)])
def test_cameras_of_any_rate_are_used_about_once_a_step(rate, used_hz):
    pace, period, used = Pace(), 1e9 / rate, 0
    jitter = np.random.default_rng(rate).uniform(-3e5, 3e5, 10 * rate)
    for index in range(10 * rate):
        stamp = round(1e12 + index * period + jitter[index])
        if pace.due(stamp, STEP_NS, period):
            pace.used(stamp)
            used += 1
    assert used == pytest.approx(10 * used_hz, rel=0.03)


def test_a_set_that_could_not_be_used_is_followed_by_the_next():
    pace = Pace()
    pace.used(0)
    assert not pace.due(33_000_000, STEP_NS, 33_000_000)
    assert pace.due(100_000_000, STEP_NS, 33_000_000)
    assert pace.due(133_000_000, STEP_NS, 33_000_000)


def test_time_that_goes_back_and_an_unknown_rate_hold_nothing_up():
    pace = Pace()
    pace.used(1_000_000_000)
    assert pace.due(0, STEP_NS, 33_000_000) and pace.due(1_001_000_000, STEP_NS, None)
