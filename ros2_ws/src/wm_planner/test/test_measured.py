"""Where the arm was measured until some time, whatever arrived first."""

import numpy as np

from wm_planner.measured import MeasuredArm


def at(arm, stamp_ns):
    return [int(q[0]) for q in arm.until(stamp_ns)]


def test_the_last_two_until_then():
    arm = MeasuredArm()
    assert at(arm, 10) == []
    for stamp_ns in (1, 2, 3):
        arm.add(stamp_ns, np.array([stamp_ns]))
    assert at(arm, 1) == [1] and at(arm, 2) == [1, 2] and at(arm, 10) == [2, 3]


def test_before_all_of_them_the_first_is_the_best_known():
    arm = MeasuredArm()
    arm.add(5, np.array([5]))
    arm.add(6, np.array([6]))
    assert at(arm, 1) == [5]


def test_a_clock_that_jumps_back_begins_anew():
    arm = MeasuredArm()
    arm.add(100, np.array([100]))
    arm.add(1, np.array([1]))
    assert at(arm, 100) == [1]


def test_a_state_that_is_sent_again_is_no_second_one():
    arm = MeasuredArm()
    for stamp_ns in (1, 2, 2):
        arm.add(stamp_ns, np.array([stamp_ns]))
    assert at(arm, 10) == [1, 2]
