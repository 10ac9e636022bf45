"""Scenes and tools survive a message; what is not estimated is NaN there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from wm_msgs.msg import ObjectState
from wm_msgs.msg import ToolState as ToolMessage

from wm_core.conversions import (
    object_messages,
    object_xy,
    scene_state,
    tool_message,
    tool_messages,
    tool_state,
    track_messages,
)
from wm_core.scene import ToolState, scene_of, tool_of
from wm_core.specs import StateSpec

STATE = StateSpec(2, ("x", "y", "yaw"), ("x", "y"), 0, {"z": 0.03})
numbers = st.floats(-2, 2, width=32)


def sent(message):
    """As it arrives."""
    return deserialize_message(serialize_message(message), type(message))


@given(st.lists(numbers, min_size=6, max_size=6))
def test_a_tool_survives_a_message(values):
    tool = ToolState(np.array(values))
    np.testing.assert_array_equal(tool_state(sent(tool_message(tool))).values, values)


def test_an_opening_that_nobody_measured_is_not_known():
    message = tool_message(tool_of(np.array([0.5, 0.1, 0.03]), np.diag([1.0, -1.0, -1.0])))
    assert (message.yaw, message.pitch) == (0.0, 0.0) and np.isnan(message.opening)
    assert isinstance(message, ToolMessage)


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5))
def test_yaw_and_pitch_are_read_from_a_rotation(yaw, pitch):
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    tilt = np.array([[np.cos(pitch), 0, np.sin(pitch)], [0, 1, 0], [-np.sin(pitch), 0, np.cos(pitch)]])
    tool = tool_of(np.zeros(3), turn @ tilt @ np.diag([1.0, -1.0, -1.0]))
    np.testing.assert_allclose([tool.yaw, tool.pitch], [yaw, pitch], atol=1e-9)


@given(st.lists(numbers, min_size=6, max_size=6), st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6))
def test_a_scene_survives_a_message(values, variance):
    scene = scene_of(STATE, np.array(values + [0.0] * 2), np.array(variance + [0.0] * 2))
    again = scene_state([sent(message) for message in object_messages(scene, [1.0, 0.5], [0.0, 2.0])])
    assert again.identities == ("object_0", "object_1")
    np.testing.assert_array_equal(again.position, scene.position)
    np.testing.assert_allclose(again.rotation, scene.rotation)
    np.testing.assert_allclose(again.variance, scene.variance, rtol=1e-5)
    assert np.isnan(again.velocity).all() and np.isnan(again.size).all()


def test_a_rotation_that_is_not_estimated_is_the_identity_in_a_message_and_unknown_in_a_scene():
    flat = StateSpec(1, ("x", "y"), ("x", "y"), 0)
    (message,) = object_messages(scene_of(flat, np.array([0.5, 0.1, 0, 0]), np.array([1e-4, 4e-4, 0, 0])), [1.0])
    assert message.pose.orientation.w == 1.0 and np.isnan(message.pose_std[2:]).all()
    np.testing.assert_allclose(message.pose_std[:2], [0.01, 0.02])
    assert np.isnan(scene_state([message]).rotation).all()


def test_paths_of_objects_and_tool():
    path = np.arange(24.0).reshape(3, 8)
    std = np.full((3, 2), 0.01)
    first, second = track_messages(scene_of(STATE, path), std)
    assert [pose.position.x for pose in second.poses] == [3.0, 11.0, 19.0]
    assert (first.id, len(first.position_std), list(first.position_interval)) == ("object_0", 3, [])
    assert [tool.position.z for tool in tool_messages(ToolState(np.ones((4, 6))))] == [1.0] * 4


def test_an_object_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="expected at least 2 objects, got 1"):
        object_xy([ObjectState()], 1)
