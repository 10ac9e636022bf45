"""Recordings of the first version: their messages are read, published and compared as those of today."""

from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from wm_msgs.msg import Belief, Command, Observation, Plan

from wm_bags.replay.compare import Tally, differences
from wm_bags.replay.old_messages import UNKNOWN, is_old, present, present_data
from wm_bags.storage.definitions import SEPARATOR, definition_of

KIND = "wm_msgs/msg/Observation"
OLD = f"""std_msgs/Header header
string model_id
float32[] embedding
geometry_msgs/Point object
float32[2] object_std
float32 visibility
float32 observed_fraction
geometry_msgs/Point ee
string[] cameras
float32 encode_ms
{SEPARATOR}
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
{SEPARATOR}
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
{SEPARATOR}
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
"""


def recorded() -> bytes:
    """An observation as the first version wrote it."""
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(OLD, KIND))
    types = store.types
    point, header = types["geometry_msgs/msg/Point"], types["std_msgs/msg/Header"]
    message = types[KIND](
        header=header(stamp=types["builtin_interfaces/msg/Time"](sec=3, nanosec=7), frame_id="panda_link0"),
        model_id="grounded",
        embedding=np.array([0.5, 0.1, np.nan], np.float32),
        object=point(x=0.1 + 0.2, y=0.25, z=0.0),
        object_std=np.array([0.01, 0.02], np.float32),
        visibility=0.9,
        observed_fraction=0.8,
        ee=point(x=0.4, y=-0.1, z=0.027),
        cameras=["front", "side"],
        encode_ms=0.5,
    )
    return bytes(store.serialize_cdr(message, KIND))


def test_an_old_observation_is_one_of_today():
    assert is_old(KIND, OLD) and not is_old(KIND, definition_of(KIND).text) and not is_old(KIND, "")
    message = deserialize_message(present_data(KIND, OLD, recorded()), Observation)
    assert (message.header.stamp.sec, message.header.stamp.nanosec, message.header.frame_id) == (3, 7, "panda_link0")
    (block,) = message.objects
    assert (block.id, block.presence, block.pose.position.x) == ("object_0", 1.0, 0.1 + 0.2)
    np.testing.assert_array_equal(block.pose_std[:2], np.array([0.01, 0.02], np.float32))
    assert block.visibility == np.float32(0.9) and np.isnan(block.pose_std[2:]).all()
    assert (message.tool.position.x, message.tool.position.z) == (0.4, 0.027)
    assert list(message.cameras) == ["front", "side"] and np.isnan(message.embedding[2])


def point(x=0.0, y=0.0, z=0.0):
    return SimpleNamespace(x=x, y=y, z=z)


def header():
    return SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=2), frame_id="base")


def test_old_beliefs_and_plans_are_those_of_today():
    belief = SimpleNamespace(
        header=header(), model_id="m", mean=np.zeros(3, np.float32), variance=np.ones(3, np.float32), object=point(0.5),
        object_std=np.array([0.01, 0.01], np.float32), ee=point(0.4), ee_target=point(0.41), visibility=0.2, time_unseen=1.5,
        surprise=0.1, encode_ms=1.0, filter_ms=2.0,
    )  # fmt: skip
    made = present("wm_msgs/msg/Belief", belief)
    assert isinstance(made, Belief) and made.objects[0].time_unseen == 1.5 and made.tool_target.position.x == 0.41
    plan = SimpleNamespace(
        header=header(), model_id="m", planner="icem", step_duration=0.1, horizon=2, action_size=2,
        actions=np.zeros(4, np.float32), object=[point(0.5), point(0.6)], ee=[point(0.4), point(0.5)], cost=1.0,
        cost_names=["goal"], cost_values=np.ones(1, np.float32), uncertainty=0.1, candidates=3, iterations=1,
        deadline_missed=False, delay=0.0, plan_ms=3.0,
    )  # fmt: skip
    made = present("wm_msgs/msg/Plan", plan)
    assert isinstance(made, Plan)
    assert [pose.position.x for pose in made.objects[0].poses] == [0.5, 0.6]
    assert [tool.position.x for tool in made.tool] == [0.4, 0.5]


def test_an_old_command_is_one_of_today():
    times = SimpleNamespace(sec=1, nanosec=5)
    joints = SimpleNamespace(
        positions=np.array([0.1, 0.2]), velocities=np.zeros(0), accelerations=np.zeros(0), effort=np.zeros(0), time_from_start=times,
    )  # fmt: skip
    old = SimpleNamespace(
        header=header(), effective=times, action=np.array([0.5, 0.0], np.float32), ee_start=point(0.4, 0.1, 0.027),
        ee_end=point(0.41, 0.1, 0.027), trajectory=SimpleNamespace(header=header(), joint_names=["a", "b"], points=[joints]),
        status=1, reason="slow",
    )  # fmt: skip
    made = present("wm_msgs/msg/Command", old)
    assert isinstance(made, Command) and made.effective.nanosec == 5 and list(made.action) == [0.5, 0.0]
    assert (made.tool_start.position.x, made.tool_end.position.x, made.tool_end.position.z) == (0.4, 0.41, 0.027)
    assert np.isnan([made.tool_end.yaw, made.tool_end.pitch, made.tool_end.opening]).all()
    (first,) = made.trajectory.points
    assert list(first.positions) == [0.1, 0.2] and first.time_from_start.sec == 1
    assert (made.trajectory.joint_names, made.status, made.reason) == (["a", "b"], 1, "slow")


@pytest.mark.parametrize("message", [Belief(), Command(), Observation(), Plan()])
def test_messages_of_today_stay_as_they_are(message):
    assert present(f"wm_msgs/msg/{type(message).__name__}", message) is message


def test_what_was_recorded_is_compared_and_what_was_not_is_left_out():
    old = deserialize_message(present_data(KIND, OLD, recorded()), Observation)
    new = deserialize_message(serialize_message(old), Observation)
    new.tool.yaw, new.tool.pitch = 0.1, 0.0  # nobody recorded these
    assert {d.field for d in differences(old, new)} == {"tool.yaw", "tool.pitch"}
    assert not list(differences(old, new, UNKNOWN[KIND]))
    tally = Tally("wm/observation")
    tally.add(1, 0, old, new, unknown=UNKNOWN[KIND])
    new.objects[0].pose.position.x = 0.3
    tally.add(2, 0, old, new, unknown=UNKNOWN[KIND])
    assert (tally.equal, tally.different) == (1, 1) and "objects[0].pose.position.x was" in tally.first
