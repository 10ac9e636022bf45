"""The boxes of a hand at its openings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.hand import Hand, half_turned
from wm_core.robot import RobotError, load_robot


def test_the_fingers_of_a_panda_stand_apart_by_its_opening():
    hand = Hand.of(load_robot("panda"))
    assert hand.grips and hand.opening == (0.0, 0.08)
    left, right, palm = hand.centres(np.array(0.06))
    assert left[1] - right[1] - hand.finger[1] == pytest.approx(0.06)
    assert palm[2] > left[2] > 0  # above the tip, which points down
    assert hand.palm_height == pytest.approx(0.0374) and hand.reach_below == pytest.approx(0.008)


def test_a_pusher_does_not_open():
    hand = Hand.of(load_robot("ur5e"))
    assert not hand.grips
    closed = hand.centres(np.array(0.0))
    assert closed[0, 1] == pytest.approx(hand.finger[1] / 2)


def test_joints_and_opening_of_a_gripper_belong_together():
    gripper = load_robot("panda").gripper
    assert gripper.joint_at(0.05) == pytest.approx(0.025) and gripper.opening_at(0.025) == pytest.approx(0.05)
    assert gripper.joint_at(1.0) == 0.04 and gripper.opening_at(-1.0) == 0.0


@given(st.floats(-10, 10))
def test_a_half_turn_changes_nothing_about_a_hand(yaw):
    low, high = np.radians([-60, 122])
    turned = half_turned(yaw, low, high)
    assert low <= turned <= high and abs(np.sin(turned - yaw)) < 1e-6


def test_a_pitch_that_leaves_out_straight_down_is_refused(tmp_path):
    text = load_robot("panda").file.read_text().replace("pitch_deg: [-80, 80]", "pitch_deg: [10, 80]")
    (tmp_path / "profile.yaml").write_text(text)
    with pytest.raises(RobotError, match="reach.pitch_deg: expected lower <= 0 <= upper"):
        load_robot(tmp_path / "profile.yaml")
