"""Tool motions become joint motions within the limits of the arm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.kinematics import TOOL_DOWN, TOOL_HEIGHT, Kinematics, KinematicsError
from wm_core.paths import urdf_path
from wm_planner.tool_path import REACH_LOWER, REACH_UPPER, VELOCITY_SHARE, ToolPath

ARM = Kinematics(urdf_path())
HOME = ARM.ik(np.array([0.45, 0.0, TOOL_HEIGHT]), TOOL_DOWN, np.array([0.0, 0.3, 0.0, -2.6, 0.0, 2.9, 0.785]))
STEP = 0.1


def path():
    tool = ToolPath(ARM, STEP)
    tool.anchor(HOME)
    return tool


def test_a_motion_ends_where_it_should_and_stays_level():
    motion = path().move(np.array([0.02, -0.02]))
    for joints in motion.joints:
        position, rotation = ARM.fk(joints)
        assert position[2] == pytest.approx(TOOL_HEIGHT, abs=1e-4)
        np.testing.assert_allclose(rotation, TOOL_DOWN, atol=1e-3)
    np.testing.assert_allclose(ARM.fk(motion.joints[-1])[0][:2], [0.47, -0.02], atol=1e-4)
    assert motion.times[-1] == pytest.approx(STEP)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)), min_size=1, max_size=5))
def test_whatever_is_asked_limits_hold_and_nothing_jumps(displacements):
    tool, last = path(), HOME
    for displacement in displacements:
        motion = tool.move(np.array(displacement))
        speeds = np.abs(np.diff(np.vstack([last, motion.joints]), axis=0)) / np.diff([0, *motion.times])[:, None]
        assert (speeds <= VELOCITY_SHARE * ARM.velocity + 1e-6).all()
        assert (motion.joints >= ARM.lower).all() and (motion.joints <= ARM.upper).all()
        assert (motion.ee_end >= np.array(REACH_LOWER) - 1e-9).all() and (
            motion.ee_end <= np.array(REACH_UPPER) + 1e-9
        ).all()
        np.testing.assert_allclose(ARM.fk(motion.joints[-1])[0][:2], motion.ee_end, atol=1e-3)
        last = motion.joints[-1]


def test_too_fast_is_shortened_and_said():
    motion = path().move(np.array([0.2, 0.2]))
    assert "velocity limit" in motion.reason
    assert 0 < np.linalg.norm(motion.ee_end - motion.ee_start) < 0.28


def test_holding_stays():
    motion = path().hold("because")
    np.testing.assert_array_equal(motion.ee_start, motion.ee_end)
    np.testing.assert_array_equal(motion.joints, HOME[None])
    assert motion.reason == "because"


def test_without_a_known_arm_nothing_moves():
    with pytest.raises(KinematicsError, match="joint_states"):
        ToolPath(ARM, STEP).move(np.zeros(2))
