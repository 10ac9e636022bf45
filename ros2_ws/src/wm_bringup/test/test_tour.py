"""The arm's tour with the board: it goes only where the way is known to be free, back to where it began too."""

import numpy as np
import pytest

from wm_bringup.calibration.arm import ArmError
from wm_bringup.calibration.tour import tour
from wm_perception.calibration.poses import Pose

START = np.array([0.0, 0.0])
POSES = [Pose(np.array([x, 1.0]), np.eye(4), ("camera_left",)) for x in (0.5, 1.0, 1.5)]
CHOSEN = {(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)}  # ways that were looked at when the poses were chosen


class Arm:
    """Notes each way that it is sent, by the first joint."""

    def __init__(self) -> None:
        self.q, self.ways = START, []

    def go(self, q: np.ndarray) -> None:
        self.ways.append((float(self.q[0]), float(q[0])))
        self.q = q


def test_the_arm_comes_back_straight_where_that_way_is_free():
    arm = Arm()
    assert [number for number, _ in tour(arm.go, START, POSES, lambda a, b: True)] == [1, 2, 3]
    assert arm.ways[3:] == [(1.5, 0.0)]


def test_the_arm_comes_back_by_the_ways_it_went_where_the_straight_one_would_touch_something():
    arm = Arm()
    list(tour(arm.go, START, POSES, lambda a, b: (float(a[0]), float(b[0])) in CHOSEN))
    assert set(arm.ways[:3]) == CHOSEN and arm.ways[3:] == [(1.5, 1.0), (1.0, 0.5), (0.5, 0.0)]


def test_nothing_moves_where_a_person_has_moved_the_arm_to_a_place_without_a_free_way():
    arm, elsewhere = Arm(), np.array([0.0, -1.0])
    with pytest.raises(ArmError, match=r"it was moved after the poses were chosen; .* take again"):
        list(tour(arm.go, elsewhere, POSES, lambda a, b: a is not elsewhere))
    assert arm.ways == []


def test_the_arm_goes_back_to_where_a_person_has_left_it():
    arm, elsewhere = Arm(), np.array([0.2, 0.0])
    list(tour(arm.go, elsewhere, POSES, lambda a, b: True))
    assert arm.ways[-1] == (1.5, 0.2)
