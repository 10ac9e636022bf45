"""Cameras that repeat their image: a fault while the arm moves, and none while all is at rest."""

import numpy as np
import pytest

from wm_perception.frozen import FrozenCameras, FrozenDetector, FrozenError, Travel

MS = 1_000_000


def test_a_frozen_camera_is_noticed():
    frozen = FrozenDetector(repeats=3)
    still, moving = bytes(1000), b"\x01" * 1000
    assert [frozen.update("left", data) for data in (still, still, still, moving)] == [False, False, True, False]


def ways_of(travel: Travel, places: list[float], begin: int = 0) -> list[float]:
    """The way at each of some places [m] on a line, one a joint state every 20 ms; images come with them."""
    found = []
    for i, place in enumerate(places, begin):
        travel.moved(20 * i * MS, np.array([place, 0.0, 0.0]))
        found.append(travel.since("left", 20 * i * MS, 1))
    return found


def test_the_way_of_the_tool_counts_from_the_first_of_equal_images():
    travel = Travel(fastest=0.75)
    assert ways_of(travel, [0.0, 0.01, 0.02, 0.03]) == pytest.approx([0.0, 0.01, 0.02, 0.03])
    travel.begin("left")
    assert ways_of(travel, [0.04, 0.05], begin=4) == pytest.approx([0.0, 0.01])


def test_joint_states_that_lie_and_then_do_not_are_no_way():
    """Zeros for a while, or the same for a while and then where the arm has come meanwhile: the images of an arm at rest repeat."""
    assert max(ways_of(Travel(fastest=0.75), [0.4, 0.4, 0.0, 0.0, 0.0, 0.4, 0.4])) == 0.0
    assert max(ways_of(Travel(fastest=0.75), [0.4, 0.4, 0.45, 0.45])) == 0.0


def test_where_no_joint_state_says_it_there_is_no_way():
    travel = Travel(fastest=0.75)
    ways_of(travel, [0.0, 0.01, 0.02])
    assert travel.since("left", 1000 * MS, 60 * MS) == 0.0


def test_the_way_does_not_begin_where_the_tool_was_when_the_clock_said_so_before():
    """The clock goes back by 2 s while joint states stay away: the images of an arm that rests by now repeat."""
    travel = Travel(fastest=0.75)
    ways_of(travel, [0.4 + 0.002 * i for i in range(100)])
    travel.begin("left")
    assert travel.since("left", 20 * MS, 60 * MS) == 0.0
    assert max(ways_of(travel, [0.6] * 20, begin=3)) == 0.0


def test_images_are_refused_once_the_arm_has_moved_while_they_were_the_same():
    cameras, still = FrozenCameras(repeats=3, fastest=0.75), bytes(1000)
    for step in range(4):
        cameras.moved(step * 10**8, np.array([0.4 + 0.009 * step, 0.0, 0.1]))
        if step < 3:
            cameras.check("left", step * 10**8, still, 10**7)
    with pytest.raises(FrozenError, match="restart the camera"):
        cameras.check("left", 3 * 10**8, still, 10**7)
    cameras.check("left", 4 * 10**8, bytes([1] * 1000), 10**7)
