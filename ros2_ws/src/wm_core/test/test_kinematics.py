"""Kinematics of the Panda: forward and inverse agree, what is out of reach is refused."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.robot import RobotError, load_robot
from wm_core.rotations import rotation_of
from wm_core.scene import ToolState

PANDA = load_robot("panda")
URDF = Path(PANDA.urdf).read_text()
TOOL_DOWN, TOOL_HEIGHT = PANDA.tool.rotation, PANDA.tool.height
ARM = Kinematics(PANDA)
ELBOW_UP = np.array([0.0, 0.3, 0.0, -2.6, 0.0, 2.9, 0.785])


@settings(max_examples=40, deadline=None)
@given(st.floats(0.30, 0.70), st.floats(-0.30, 0.30))
def test_inverse_kinematics_reaches_the_table(x, y):
    position = np.array([x, y, TOOL_HEIGHT])
    q = ARM.ik(position, TOOL_DOWN, ELBOW_UP)
    reached, rotation = ARM.fk(q)
    np.testing.assert_allclose(reached, position, atol=1e-4)
    np.testing.assert_allclose(rotation, TOOL_DOWN, atol=1e-3)
    tool = ARM.tool(q)
    np.testing.assert_array_equal(tool.position, reached)
    np.testing.assert_allclose([tool.yaw, tool.pitch], 0.0, atol=1e-3)
    assert (q >= ARM.lower).all() and (q <= ARM.upper).all()


def test_whether_the_arm_reaches_a_tool_state():
    assert ARM.reaches(ToolState.at(0.5, 0.0, 0.05, 0.3, 0.4).values)
    assert not ARM.reaches(ToolState.at(0.95, 0.0, 0.05).values)
    assert not ARM.reaches(ToolState.at(0.3, 0.0, 0.02, 0.0, -1.4).values)  # leaning far back towards the base


def test_the_arm_has_frankas_joints_and_limits():
    assert ARM.joint_names == tuple(f"panda_joint{i}" for i in range(1, 8))
    assert ARM.velocity[0] == pytest.approx(2.175)


def test_the_jacobian_predicts_small_motions():
    q = ARM.ik(np.array([0.5, 0.1, 0.1]), TOOL_DOWN, ELBOW_UP)
    step = 1e-6 * np.arange(1, 8)
    moved = ARM.fk(q + step)[0] - ARM.fk(q)[0]
    np.testing.assert_allclose(moved, (ARM.jacobian(q) @ step)[:3], atol=1e-9)


def test_link_poses_agree_with_link_pose():
    one, two = ARM.link_poses(["panda_hand", "panda_link4"], ELBOW_UP)
    np.testing.assert_allclose(one, ARM.link_pose("panda_hand", ELBOW_UP))
    np.testing.assert_allclose(two, ARM.link_pose("panda_link4", ELBOW_UP))


def test_out_of_reach_is_refused():
    with pytest.raises(KinematicsError, match="reachable"):
        ARM.ik(np.array([3.0, 0.0, 0.5]), TOOL_DOWN, ELBOW_UP)


@pytest.mark.parametrize("q", [np.zeros(6), np.full(7, np.nan)])
def test_wrong_joint_vectors_are_refused(q):
    with pytest.raises(KinematicsError, match="7 finite"):
        ARM.fk(q)


def test_an_unknown_tip_or_base_is_refused():
    with pytest.raises(KinematicsError, match="no_such_link"):
        Kinematics(replace(PANDA, tool=replace(PANDA.tool, link="no_such_link")))
    with pytest.raises(KinematicsError, match="no joint moves"):
        Kinematics(replace(PANDA, base_frame="panda_link1"))


def test_a_turned_base_gives_the_same_tool_poses_with_the_first_joint_turned_back():
    pose = np.eye(4)
    pose[:3, :3] = rotation_of([0, 0, 90])
    turned = Kinematics(replace(PANDA, T_table_base=pose))
    back = ELBOW_UP - np.array([np.pi / 2, 0, 0, 0, 0, 0, 0])
    for one, other in zip(ARM.fk(ELBOW_UP), turned.fk(back), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_joints_come_in_any_order_and_beside_others():
    names = [*reversed(ARM.joint_names), "panda_finger_joint1"]
    np.testing.assert_array_equal(ARM.arm_joints(names, [7, 6, 5, 4, 3, 2, 1, 0.04]), [1, 2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize(
    ("names", "positions", "problem"),
    [
        (ARM.joint_names[:6], [0.0] * 6, "panda_joint7"),
        (ARM.joint_names, [0.0] * 6, "one position per joint"),
        (ARM.joint_names, [0.0] * 6 + [np.nan], "finite"),
    ],
)
def test_joint_states_that_do_not_tell_where_the_arm_is_are_refused(names, positions, problem):
    with pytest.raises(KinematicsError, match=problem):
        ARM.arm_joints(names, positions)


def first_two_joints(robot):
    return replace(robot, joints=robot.joints[:2], tool=replace(robot.tool, link="panda_link2"))


@pytest.mark.parametrize("limit", ["0", "-1", "inf", "nan", "1e400", "", "fast", None])
@pytest.mark.parametrize("given", [lambda robot: robot, first_two_joints], ids=["whole", "two joints"])
def test_a_urdf_without_a_velocity_limit_is_refused_by_name(limit, given):
    attribute = "" if limit is None else f'velocity="{limit}"'
    urdf = re.sub('velocity="[^"]*"', attribute, URDF, count=1)
    with pytest.raises(KinematicsError, match=r"'panda_joint1'.*velocity limit above 0.*limits.velocity"):
        Kinematics(given(PANDA).published(urdf))


@pytest.mark.parametrize(
    ("pattern", "instead", "expected"),
    [
        ("<limit [^>]*/>", "", "panda_joint1.*has no limits"),
        ('lower="[^"]*"', 'lower="nan"', "panda_joint1.*lower < upper"),
        ('upper="[^"]*"', 'upper="inf"', "panda_joint1.*lower < upper"),
        ("<joint ", "<joynt ", "expected a URDF, got XML that cannot be read"),
    ],
)
def test_a_urdf_that_cannot_be_read_is_refused_with_what_is_wrong(pattern, instead, expected):
    with pytest.raises((KinematicsError, RobotError), match=expected):
        Kinematics(PANDA.published(re.sub(pattern, instead, URDF, count=1)))


def test_a_joint_that_comes_twice_is_refused():
    names = [*ARM.joint_names, ARM.joint_names[0]]
    with pytest.raises(KinematicsError, match="every joint once"):
        ARM.arm_joints(names, [0.0] * len(names))
    assert ARM.arm_joints(["finger", "finger", *ARM.joint_names], [0.0] * (len(names) + 1)).shape == (7,)
