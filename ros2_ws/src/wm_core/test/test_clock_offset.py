"""The offset between two clocks comes out of messages that take different times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.clock_offset import ClockOffset

S, MS = 1_000_000_000, 1_000_000


def measured(offset_ms, latency_ms=1.0, spread_ms=4.0, seconds=3.0, rate=100):
    clock, rng = ClockOffset("joint states"), np.random.default_rng(0)
    for i in range(round(seconds * rate)):
        sent = 1_700_000_000 * S + round(i / rate * S)
        clock.heard(sent + round(offset_ms * MS), sent + round((latency_ms + rng.exponential(spread_ms)) * MS))
    return clock


@given(st.floats(-1000, 1000))
def test_the_quickest_message_tells_the_offset(offset_ms):
    assert abs(measured(offset_ms).offset_ns / MS - offset_ms + 1) < 0.5  # but for the latency of 1 ms


def test_a_robots_clock_that_is_ahead_is_reported_with_the_remedy():
    problem = measured(150).problem()
    assert "the clock of the joint states is 149 ms ahead" in problem
    assert "synchronise the machines' clocks (chrony" in problem


def test_one_that_is_behind_is_reported_too():
    assert "joint states come 301 ms after their stamps" in measured(-300).problem()


@pytest.mark.parametrize("latency_ms", [0.2, 5, 60, 120])
def test_delay_alone_is_no_problem(latency_ms):
    assert measured(0, latency_ms, 10).problem() == ""


def test_a_few_messages_tell_nothing_and_a_clock_that_was_set_is_forgotten():
    assert measured(150, seconds=0.05).problem() == ""
    clock = measured(150)
    for i in range(700):  # seven seconds later, synchronised
        at = 1_700_000_003 * S + i * 10 * MS
        clock.heard(at, at + MS)
    assert clock.problem() == ""


@pytest.mark.parametrize(("offset_ms", "expected"), [(20, 19), (150, 149), (5, 0), (0, 0), (-300, 0)])
def test_who_commands_computes_by_a_clock_that_is_ahead(offset_ms, expected):
    """The guard said "passing" while the robot's controller refused every trajectory, or joined each of them late."""
    assert measured(offset_ms).ahead_ns / MS == pytest.approx(expected, abs=0.5)


def test_one_wrong_stamp_changes_nothing():
    clock = measured(0)
    now = 1_700_000_003 * S
    for i in range(200):
        clock.heard(now + (500 * MS if i == 20 else -MS), now)
        now += 10 * MS
    assert clock.ahead_ns == 0 and clock.offset_ns > 400 * MS
