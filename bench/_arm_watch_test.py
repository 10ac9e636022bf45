"""When an arm is at rest, and how far it went until then."""

from types import SimpleNamespace

import pytest
from _arm_watch import commanded_far, exceeded, farthest, rest_after, true, unobserved, worst


def samples(*speeds: float, tool: float = 0.1, true_speed: float = 0.0) -> list[tuple[float, SimpleNamespace]]:
    """Every 20 ms."""
    rest = {"arm_speed": true_speed, "tool_speed": tool, "velocity_share": 0.2, "position_excess": 0.0}
    return [(0.02 * i, SimpleNamespace(commanded_speed=speed, **rest)) for i, speed in enumerate(speeds)]


def test_at_rest_is_who_does_not_move_for_a_tenth_of_a_second():
    assert rest_after(samples(*[1.0] * 5, *[0.0] * 10), 0.0) == pytest.approx(0.1)
    assert rest_after(samples(*[1.0] * 5, *[0.0] * 10), 0.04) == pytest.approx(0.06)


def test_who_stands_for_a_moment_only_is_not_at_rest():
    assert rest_after(samples(1.0, 0.0, 0.0, 1.0, *[0.0] * 8), 0.0) == pytest.approx(0.08)
    assert rest_after(samples(*[1.0] * 20), 0.0) is None
    assert rest_after(samples(1.0, 0.0, 0.0, 0.0), 0.0) is None


def test_the_command_may_rest_before_the_arm_does():
    seen = samples(*[0.0] * 10, true_speed=0.5)
    assert rest_after(seen, 0.0) == 0.0 and rest_after(seen, 0.0, true) is None


def test_a_stuck_arm_is_noticed_by_the_way_that_it_was_commanded():
    assert commanded_far(samples(*[0.5] * 11), 0.0, 0.045) == pytest.approx(0.1)
    assert commanded_far(samples(*[0.5] * 11), 0.1, 0.035) == pytest.approx(0.08)
    assert commanded_far(samples(*[0.5] * 4, *[0.0] * 20), 0.0, 0.05) is None


def test_of_what_was_not_heard_nothing_is_known():
    heard = samples(*[0.0] * 11)
    assert unobserved(heard, 0.0, 0.2) == pytest.approx(0.02)
    assert unobserved([each for each in heard if not 0.05 < each[0] < 0.15], 0.0, 0.2) == pytest.approx(0.12)
    assert unobserved(heard, 0.0, 2.0) == pytest.approx(1.8) and unobserved([], 0.0, 1.0) == 1.0


def test_the_way_is_that_at_the_greatest_speed():
    assert farthest(samples(*[1.0] * 11, tool=0.5), 0.0, 0.2) == pytest.approx(0.1)
    assert farthest([], 0.0, 1.0) == 0.0


def test_a_limit_is_exceeded_beyond_what_the_servo_allows():
    (_, fast), *_ = samples(1.0, tool=0.56)
    (_, slow), *_ = samples(1.0, tool=0.54)
    assert exceeded(fast) and not exceeded(slow)
    assert worst([(0.0, slow), (1.0, fast)])["exceeded"] and worst([])["tool_speed"] is None
