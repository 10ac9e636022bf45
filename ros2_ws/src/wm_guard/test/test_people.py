"""How fast the arm may be near people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_guard.people import People, Separation

S = 1_000_000_000


def test_nobody_asks_before_a_sensor_spoke():
    assert People().allowed_speed(0) == (np.inf, "")


def test_a_sensor_that_is_required_is_waited_for():
    speed, why = People(required=True).allowed_speed(0)
    assert speed == 0 and "heard nothing yet" in why


@given(st.floats(0.0, 20.0), st.floats(0.0, 20.0))
def test_a_person_who_is_nearer_allows_no_more(a, b):
    near, far = sorted((a, b))
    assert Separation().allowed_speed(near) <= Separation().allowed_speed(far)


@given(st.floats(0.6, 20.0))
def test_the_arm_stands_before_the_person_is_there(distance):
    """The speed put back into the standard's sum gives the distance."""
    s = Separation()
    v = s.allowed_speed(distance)
    stop = v / s.deceleration
    needed = s.person_speed * (s.reaction_time + stop) + v * s.reaction_time + v * stop / 2 + s.intrusion
    assert v > 0 and needed == pytest.approx(distance)


def test_a_silent_sensor_counts_as_a_person():
    people = People(timeout=0.5)
    people.observe(np.inf, 10 * S)
    assert people.allowed_speed(10 * S + S // 2)[0] == np.inf
    speed, why = people.allowed_speed(11 * S)
    assert speed == 0 and "last heard 1.00 s ago" in why


@pytest.mark.parametrize("distance", [np.nan, -np.inf, -1.0, 0.0, 0.3])
def test_what_is_near_or_not_known_stops(distance):
    people = People()
    people.observe(distance, S)
    assert people.allowed_speed(S)[0] == 0


def test_time_that_went_back_is_no_excuse():
    people = People()
    people.observe(np.inf, 10 * S)
    assert people.allowed_speed(9 * S)[0] == 0
