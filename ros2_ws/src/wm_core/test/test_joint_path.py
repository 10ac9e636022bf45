"""Where the joints were commanded to be."""

import numpy as np
import pytest

from wm_core.joint_path import JointPath


def test_straight_between_points_and_constant_outside():
    path = JointPath()
    assert not path
    path.replace(100, np.array([200, 300]), np.array([[0.0], [1.0], [3.0]]))
    assert path and path.end_ns == 300
    assert [path.at(t)[0] for t in (0, 100, 150, 200, 250, 300, 900)] == [0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 3.0]
    assert path.speed(150)[0] == pytest.approx(1e7) and path.speed(99)[0] == path.speed(300)[0] == 0.0


def test_a_new_motion_replaces_the_rest_of_the_old_one_and_what_is_past_is_remembered():
    path = JointPath()
    path.replace(0, np.array([100]), np.array([[0.0], [1.0]]))
    path.replace(50, np.array([150]), np.array([path.at(50), [-0.5]]))
    assert [path.at(t)[0] for t in (20, 50, 100, 150)] == pytest.approx([0.2, 0.5, 0.0, -0.5])
    low, high = path.box(25, 100)
    assert (low[0], high[0]) == (0.0, 0.5)
    for begin in range(1, 100):
        path.replace(begin * 10**9, np.array([begin * 10**9 + 1]), np.array([[0.0], [1.0]]))
    assert len(path._times) < 10  # a day of commands does not fill the memory


def test_the_last_point_lasts_until_the_next_motion_begins():
    path = JointPath()
    path.replace(0, np.array([100]), np.array([[0.0], [1.0]]))
    path.replace(200, np.array([300]), np.array([[1.0], [2.0]]))
    assert [path.at(t)[0] for t in (150, 200, 250)] == [1.0, 1.0, 1.5]
