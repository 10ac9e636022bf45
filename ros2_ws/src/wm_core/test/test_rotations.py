"""Rotations: angles, matrices and quaternions are of the same turn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.rotations import parts_of, pose_of, quaternion_of, rotation_of, rotation_of_quaternion, rpy_of

ANGLES = st.tuples(*[st.floats(-360, 360)] * 3)


@given(st.tuples(*[st.integers(-8, 8)] * 3))
def test_quarter_turns_are_exact(quarters):
    rotation = rotation_of([90.0 * quarter for quarter in quarters])
    assert set(np.abs(rotation).ravel()) <= {0.0, 1.0}
    assert np.linalg.det(rotation) == 1.0


@given(ANGLES)
def test_rotations_are_rotations(rpy):
    rotation = rotation_of(rpy)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


@given(ANGLES)
def test_angles_come_back(rpy):
    rotation = rotation_of(rpy)
    np.testing.assert_allclose(rotation_of(np.degrees(rpy_of(rotation))), rotation, atol=1e-6)


@given(ANGLES, ANGLES)
def test_a_quaternion_turns_vectors_as_its_matrix_does(rpy, vector):
    rotation = rotation_of(rpy)
    x, y, z, w = quaternion_of(rotation)
    axis, v = np.array([x, y, z]), np.array(vector)
    turned = v + 2 * w * np.cross(axis, v) + 2 * np.cross(axis, np.cross(axis, v))
    np.testing.assert_allclose(turned, rotation @ v, atol=1e-9 * (1 + np.abs(v).max()))


@given(ANGLES, st.floats(0.1, 10))
def test_a_quaternion_of_any_length_gives_its_rotation(rpy, length):
    rotation = rotation_of(rpy)
    scaled = length * np.array(quaternion_of(rotation))
    np.testing.assert_allclose(rotation_of_quaternion(*scaled), rotation, atol=1e-12)


def test_no_quaternion_is_no_rotation():
    assert np.isnan(rotation_of_quaternion(0.0, 0.0, 0.0, 0.0)).all()


def test_a_pose_is_a_rotation_and_a_position():
    turn, place = rotation_of([0.0, 0.0, 90.0]), [0.1, 0.2, 0.3]
    pose = pose_of(turn, place)
    np.testing.assert_allclose(pose @ [1.0, 0.0, 0.0, 1.0], [0.1, 1.2, 0.3, 1.0])
    rotation, position = parts_of(pose)
    np.testing.assert_array_equal(rotation, turn)
    position += 1.0  # a view
    np.testing.assert_allclose(pose_of(turn, np.add(place, 1.0)), pose)
