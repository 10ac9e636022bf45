"""What was planned before a reset does not move the arm after it."""

import numpy as np
import pytest

from wm_sim.controller import Point
from wm_sim.resets import OutdatedError, Resets

NAMES = ("a", "b")
S = 1_000_000_000


@pytest.fixture
def resets() -> Resets:
    resets = Resets(NAMES, np.array([0.0, -1.0]))
    resets.happened(10 * S)
    return resets


def to(*positions: float) -> list[Point]:
    return [Point(S // 10, positions)]


def test_a_stamp_from_before_is_outdated(resets):
    with pytest.raises(OutdatedError, match="planned after the reset"):
        resets.check(NAMES, 9 * S, to(0.0, -1.0))
    resets.check(NAMES, 10 * S, to(0.5, 0.5))


def test_a_hold_without_a_stamp_is_known_by_where_it_is(resets):
    """A hold that the guard sent a moment too late swept the arm through the new scene, and the object off the table."""
    with pytest.raises(OutdatedError):
        resets.check(NAMES, 0, to(0.6, -1.0))
    resets.check(NAMES, 0, to(0.05, -1.05))
    resets.check(NAMES[::-1], 0, to(-1.05, 0.05))
