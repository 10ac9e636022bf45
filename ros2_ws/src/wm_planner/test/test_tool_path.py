"""Tool motions become joint motions within the limits of the arm."""

import numpy as np
import pinocchio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.robot import load_robot
from wm_planner.tool_path import RETURN_SPEED, RETURN_TURN, VELOCITY_SHARE, ToolPath

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height

ARM = Kinematics(load_robot())
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
        assert load_robot().reach_region.contains(motion.end.xy, 1e-9)
        np.testing.assert_allclose(ARM.fk(motion.joints[-1])[0][:2], motion.end.xy, atol=1e-3)
        last = motion.joints[-1]


def test_too_fast_is_shortened_and_said():
    going = path()
    for _ in range(4):
        motion = going.move(np.array([0.2, 0.2]))
        assert 0 < np.linalg.norm(motion.end.xy - motion.start.xy) < 0.28
    assert motion.reason.startswith("joint_velocity:")


def test_too_sudden_is_changed_and_said():
    """From rest, and back: what an arm with these acceleration limits can do within a step."""
    going = path()
    speeds, reasons = [np.zeros(7)], []
    for displacement in (0.04, 0.04, -0.04, -0.04):
        before = going.joints
        motion = going.move(np.array([displacement, 0.0]))
        reasons.append(motion.reason)
        speeds.append((motion.joints[0] - before) * ToolPath.POINTS / STEP)
    change = np.abs(np.diff(speeds, axis=0)) / STEP / ARM.acceleration
    assert (change <= 1.05).all() and change.max() > 0.8
    assert reasons[2].startswith("joint_acceleration:")


def test_holding_stays():
    motion = path().hold("because")
    np.testing.assert_array_equal(motion.start.values, motion.end.values)
    np.testing.assert_array_equal(motion.joints, HOME[None])
    assert motion.reason == "because"


def test_without_a_known_arm_nothing_moves():
    with pytest.raises(KinematicsError, match="joint_states"):
        ToolPath(ARM, STEP).move(np.zeros(2))


@pytest.mark.parametrize(
    ("axes", "displacement", "moved"),
    [
        (("z",), [0.02], [0, 0, 0.02, 0]),
        (("x", "y", "z"), [0.01, -0.01, 0.02], [0.01, -0.01, 0.02, 0]),
        (("x", "y", "z", "yaw"), [0.01, 0.0, 0.01, 0.1], [0.01, 0, 0.01, 0.1]),
        (("yaw",), [-0.12], [0, 0, 0, -0.12]),
    ],
)
def test_a_path_follows_any_of_its_axes_and_holds_the_others(axes, displacement, moved):
    tool = ToolPath(ARM, STEP, axes=axes)
    tool.anchor(HOME)
    motion = tool.move(np.array(displacement))
    (before, rest), (after, rotation) = ARM.fk(HOME), ARM.fk(motion.joints[-1])
    turned = rotation @ rest.T
    yaw = np.arctan2(turned[1, 0], turned[0, 0])
    np.testing.assert_allclose([*(after - before), yaw], moved, atol=1e-4)
    np.testing.assert_allclose(rotation[2], rest[2], atol=1e-4)  # upright
    np.testing.assert_allclose(motion.end.get(axes) - motion.start.get(axes), displacement, atol=1e-9)
    np.testing.assert_allclose(tool.position, motion.end.get(axes))


def test_a_path_starts_from_the_measured_yaw_and_stays_within_its_bounds():
    tool = ToolPath(ARM, STEP, axes=("z", "yaw"), bounds={"z": (0.02, 0.04), "yaw": (-0.3, 0.3)})
    tool.anchor(HOME)
    for _ in range(6):
        motion = tool.move(np.array([0.01, 0.1]))
    np.testing.assert_allclose(motion.end.get(("z", "yaw")), [0.04, 0.3])
    again = ToolPath(ARM, STEP, axes=("z", "yaw"))
    again.anchor(motion.joints[-1])
    np.testing.assert_allclose(again.position, [0.04, 0.3], atol=1e-4)


def test_axes_that_no_arm_follows_are_refused():
    with pytest.raises(ValueError, match="out of x, y, z, yaw, pitch, grip, got .'roll'."):
        ToolPath(ARM, STEP, axes=("roll",))


def moved(height=0.0, turn=(0.0, 0.0, 0.0), xy=(0.45, 0.0)):
    """Joints with the tool off from where it is held, as after a person moved the arm."""
    return ARM.ik(np.array([*xy, TOOL_HEIGHT + height]), pinocchio.exp3(np.array(turn)) @ TOOL_DOWN, HOME)


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.03, 0.2), st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(-0.8, 0.8)))
def test_an_arm_that_a_person_moved_comes_back_slowly(height, turn):
    tool, q = ToolPath(ARM, STEP), moved(height, turn)
    tool.anchor(q)
    assert not tool.aside or ("above" if tool.above > 0 else "below") in tool.aside
    for _ in range(round((abs(height) / RETURN_SPEED + np.linalg.norm(turn) / RETURN_TURN) / STEP) + 10):
        motion = tool.move(np.zeros(2))
        speeds = np.abs(np.diff(np.vstack([q, motion.joints]), axis=0)) / np.diff([0, *motion.times])[:, None]
        assert (speeds <= VELOCITY_SHARE * ARM.velocity + 1e-6).all()
        before, after = ARM.fk(q)[0], ARM.fk(motion.joints[-1])[0]
        assert abs(after[2] - before[2]) <= 1.2 * RETURN_SPEED * STEP
        np.testing.assert_allclose(after[:2], (0.45, 0.0), atol=2e-3)
        q = motion.joints[-1]
    position, rotation = ARM.fk(q)
    assert tool.aside == "" and position[2] == pytest.approx(TOOL_HEIGHT, abs=1e-4)
    np.testing.assert_allclose(rotation, TOOL_DOWN, atol=1e-3)


def test_it_can_be_moved_without_coming_down():
    tool = ToolPath(ARM, STEP)
    tool.anchor(moved(height=0.1))
    for _ in range(5):
        motion = tool.move(np.array([0.01, 0.0]), settle=False)
    position, _ = ARM.fk(motion.joints[-1])
    assert position[2] == pytest.approx(TOOL_HEIGHT + 0.1, abs=1e-4) and position[0] > 0.47
    assert tool.above == pytest.approx(0.1, abs=1e-4) and motion.end.values[2] == pytest.approx(
        TOOL_HEIGHT + 0.1, abs=1e-4
    )


def test_a_small_deviation_is_put_right_on_the_way():
    tool = ToolPath(ARM, STEP)
    tool.anchor(moved(height=0.004, turn=(0.0, 0.0, 0.025)))
    assert tool.aside == ""
    motion = tool.move(np.array([0.01, 0.0]))
    position, rotation = ARM.fk(motion.joints[-1])
    assert position[0] > 0.455 and position[2] == pytest.approx(TOOL_HEIGHT, abs=1e-4)
    np.testing.assert_allclose(rotation, TOOL_DOWN, atol=1e-3)


AXES6 = ("x", "y", "z", "yaw", "pitch", "grip")


def in_space(rest=None):
    tool = ToolPath(ARM, STEP, axes=AXES6, rest=rest)
    tool.anchor(HOME, opening=0.08)
    return tool


def test_a_tool_in_space_moves_turns_leans_and_closes_at_once():
    tool = in_space()
    for _ in range(5):
        motion = tool.move(np.array([0.005, 0.005, 0.01, 0.05, 0.05, -0.01]))
    reached = ARM.tool(motion.joints[-1])
    np.testing.assert_allclose(motion.end.values[:5], [0.475, 0.025, TOOL_HEIGHT + 0.05, 0.25, 0.25], atol=5e-3)
    np.testing.assert_allclose(reached.values[:5], motion.end.values[:5], atol=1e-3)
    assert motion.end.opening == pytest.approx(0.03, abs=2e-3)


def test_in_space_a_tool_stays_within_what_the_profile_says():
    tool, robot = in_space(), load_robot()
    for _ in range(40):
        motion = tool.move(np.array([0.0, 0.0, -0.03, 0.0, 0.0, 0.04]))
    assert (
        motion.end.position[2] == pytest.approx(robot.reach.lower[2]) and motion.end.opening == robot.gripper.opening[1]
    )


def test_a_leaning_tool_is_anchored_as_it_is():
    tool = in_space()
    rotation = load_robot().tool.turned(0.3, 0.4)
    tool.anchor(ARM.ik(np.array([0.45, 0.0, 0.2]), rotation, HOME))
    np.testing.assert_allclose(tool.position, [0.45, 0.0, 0.2, 0.3, 0.4, 0.08], atol=1e-4)
    assert tool.aside == ""


def test_joints_that_are_free_go_to_where_they_rest():
    """An arm of seven joints creeps into its limits where nothing draws it back."""
    creeping = HOME.copy()
    for _ in range(30):
        creeping = ARM.ik(ARM.fk(creeping)[0], TOOL_DOWN, ARM.relaxed(creeping, HOME + 0.4, 0.02))
    tool = in_space(rest=HOME)
    tool.anchor(creeping)
    for _ in range(120):
        motion = tool.move(np.zeros(6))
    assert np.abs(motion.joints[-1] - HOME).max() < 0.3 * np.abs(creeping - HOME).max()
    np.testing.assert_allclose(ARM.fk(motion.joints[-1])[0], ARM.fk(HOME)[0], atol=1e-3)
