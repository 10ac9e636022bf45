"""What perception had when it made an observation, although more was on its way: the observation itself says so."""

from geometry_msgs.msg import Point
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from wm_msgs.msg import Observation, ToolState

from wm_bags.replay.node_steps import Step
from wm_bags.replay.recorded import Recorded
from wm_bringup.replay.facts import Facts
from wm_bringup.replay.inputs import UsedInputs
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_core.stamps import to_msg

MS = 1_000_000
ARM = Kinematics(load_robot())
IMAGES = {side: [f"{side}/aligned_depth_to_color/image_raw", f"{side}/color/image_raw"] for side in ("left", "right")}
KINDS = {"joint_states": JointState, **{topic: Image for topics in IMAGES.values() for topic in topics}}
FACTS = Facts({"wm_perception": {}}, {}, "", [], KINDS, [])


def recorded(topic, message, stamp_ms):
    message.header.stamp = to_msg(stamp_ms * MS)
    return Recorded(topic, 0, serialize_message(message))


def images(stamp_ms, *sides):
    return [recorded(topic, Image(), stamp_ms) for side in sides for topic in IMAGES[side]]


def pose(stamp_ms):
    return (ARM.lower + ARM.upper) / 2 + 1e-4 * stamp_ms


def joints(stamp_ms):
    return recorded("joint_states", JointState(name=list(ARM.joint_names), position=pose(stamp_ms).tolist()), stamp_ms)


def step(stamp_ms, inputs, cameras, joints_ms):
    x, y, z = map(float, ARM.fk(pose(joints_ms))[0])
    seen = Observation(cameras=cameras, tool=ToolState(position=Point(x=x, y=y, z=z)))
    return Step(stamp_ms * MS, inputs, None, [recorded("wm/observation", seen, stamp_ms)])


def inputs_of(step):
    return [(message.topic.split("/")[0], message.stamp_ns // MS) for message in step.inputs]


def test_what_is_of_the_instant_stays_as_it_was():
    one = step(100, [joints(100), *images(100, "left", "right")], ["left", "right"], 100)
    before = list(one.inputs)
    assert UsedInputs(FACTS).order(one) and one.inputs == before


def test_a_joint_state_that_had_not_come_yet_waits():
    used = UsedInputs(FACTS)
    late = step(100, [joints(50), joints(100), *images(100, "left", "right")], ["left", "right"], 50)
    after = step(200, [joints(200), *images(200, "left", "right")], ["left", "right"], 200)
    assert used.order(late) and used.order(after)
    assert ("joint_states", 100) not in inputs_of(late) and ("joint_states", 100) in inputs_of(after)


def test_of_equal_joint_states_the_nearest_was_used():
    here = joints(100)
    there = recorded("joint_states", JointState(name=list(ARM.joint_names), position=pose(100).tolist()), 200)
    one = step(100, [here, *images(100, "left", "right"), there], ["left", "right"], 100)
    assert UsedInputs(FACTS).order(one) and here in one.inputs and there not in one.inputs


def test_a_camera_that_was_not_waited_for_comes_after_the_image_that_ended_the_wait():
    used = UsedInputs(FACTS)
    inputs = [joints(100), *images(100, "left"), *images(100, "right"), *images(200, "left")]
    partial = step(100, inputs, ["left"], 100)
    after = step(200, [joints(200), *images(200, "right")], ["left", "right"], 200)
    assert used.order(partial) and used.order(after)
    assert inputs_of(partial) == [
        ("joint_states", 100),
        ("left", 100),
        ("left", 100),
        ("left", 200),
        ("right", 100),
        ("right", 100),
    ]
    assert inputs_of(after) == [("left", 200), ("joint_states", 200), ("right", 200), ("right", 200)]


def test_images_before_the_first_observation_were_not_heard():
    used = UsedInputs(FACTS)
    first = step(
        200, [*images(100, "left", "right"), joints(200), *images(200, "left", "right")], ["left", "right"], 200
    )
    after = step(400, [*images(300, "left"), joints(400), *images(400, "left", "right")], ["left", "right"], 400)
    assert used.order(first) and used.order(after)
    assert ("left", 100) not in inputs_of(first) and ("left", 300) in inputs_of(after)


def test_images_that_the_recording_lost_are_noticed():
    one = step(100, [joints(100), *images(100, "left", "right")[:3]], ["left", "right"], 100)
    assert not UsedInputs(FACTS).order(one)
