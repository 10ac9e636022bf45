"""Bags that wm did not make become steps of the control rate, whatever their rates, motion, names, units and image formats."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import steps_of_bag
import yaml
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from wm_bags.steps.motion import tool_motion
from wm_bags.steps.profile import Profile
from wm_bags.storage.errors import BagError

COLOUR, DEPTH, START_NS, SPEED = steps_of_bag.COLOUR, steps_of_bag.DEPTH, steps_of_bag.START_NS, steps_of_bag.SPEED
JOINTS, COMMANDS, steps_of = steps_of_bag.JOINTS, steps_of_bag.COMMANDS, steps_of_bag.steps_of

STATE = "sensor_msgs/msg/JointState"


def test_images_joints_and_commands_of_any_rate_become_steps(robot, profile, tmp_path):
    steps, check = steps_of(robot.record(tmp_path / "bag", 2.0), profile, robot)
    assert len(steps) == 20
    assert [episode.index for episode, _ in steps] == [0] * 20
    assert not check.cuts
    stamps = np.array([step.stamp_ns for _, step in steps])
    np.testing.assert_allclose(np.diff(stamps), 1e8, atol=2)
    for _, step in steps[1:]:
        t = (step.stamp_ns - START_NS) / 1e9
        q = robot.kinematics.arm_joints(step.joint_names, step.joints)
        np.testing.assert_allclose(q, robot.q(t), atol=1e-6)  # whatever the order of the bag
        np.testing.assert_allclose(step.ee_start, robot.tool(t), atol=1e-3)
        np.testing.assert_allclose(step.ee_end - step.ee_start, [0.1 * SPEED, 0], atol=1e-3)
        assert step.frames["cam"].depth.min() >= 0.8
        assert step.frames["cam"].K[0, 0] == 60


@pytest.mark.parametrize("image_shift_ms", [3, 7])
def test_joint_states_between_two_stamps_are_interpolated(robot, profile, tmp_path, image_shift_ms):
    late = image_shift_ms * 1_000_000
    bag = robot.record(tmp_path / "bag", 1.0, shift=lambda topic, ns: ns + late * (topic in (COLOUR, DEPTH)))
    steps, _ = steps_of(bag, profile, robot)
    for _, step in steps:
        t = (step.stamp_ns - START_NS) / 1e9
        q = robot.kinematics.arm_joints(step.joint_names, step.joints)
        np.testing.assert_allclose(q, robot.q(t), atol=1e-6)


@pytest.mark.parametrize(
    ("source", "within"),
    [("measured", 1e-4), ("joint_trajectory", 1e-3), ("tool_pose", 1e-9), ("joint_positions", 1e-4)],
)
def test_the_motion_comes_from_what_the_bag_has(robot, profile, tmp_path, source, within):
    kinds = {"tool_pose": "geometry_msgs/msg/PoseStamped", "joint_positions": "std_msgs/msg/Float64MultiArray"}

    def commanded(topic, i, message):
        return message if topic != COMMANDS else None

    class Other(type(robot)):
        """The same robot, commanded otherwise."""

        def events(self, seconds):
            kind = kinds.get(source, "trajectory_msgs/msg/JointTrajectory")
            return [(topic, kind if topic == COMMANDS else k, i, t) for topic, k, i, t in robot.events(seconds)]

        def make(self, topic, kind, i, t, stamp_ns):
            if kind == kinds["tool_pose"]:
                x, y = (float(v) for v in self.tool(t))
                position = self.message("geometry_msgs/msg/Point", x=x, y=y, z=0.03)
                rotation = self.message("geometry_msgs/msg/Quaternion", x=1.0, y=0.0, z=0.0, w=0.0)
                pose = self.message("geometry_msgs/msg/Pose", position=position, orientation=rotation)
                return self.message(kind, header=self.header(stamp_ns), pose=pose)
            if kind == kinds["joint_positions"]:
                layout = self.message("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
                # It has no stamp: the time of receipt counts.
                return self.message(kind, layout=layout, data=robot.q(t + 0.002))
            return super().make(topic, kind, i, t, stamp_ns)

    bag = Other().record(tmp_path / "bag", 1.0, change=commanded if source == "measured" else lambda _, i, m: m)
    motion = JOINTS if source == "measured" else COMMANDS
    steps, check = steps_of(bag, replace(profile, source=source, motion=motion), robot)
    assert len(steps) >= 9, check.summary()
    for _, step in steps[1:-1]:
        t = (step.stamp_ns - START_NS) / 1e9
        np.testing.assert_allclose(step.ee_start, robot.tool(t), atol=within)
        np.testing.assert_allclose(step.ee_end, robot.tool(t + 0.1), atol=within)


def test_degrees_and_other_names_are_mapped(robot, profile, tmp_path):
    def other(topic, i, message):
        if topic == JOINTS:
            message.position = np.degrees(message.position)
        if topic == COMMANDS:
            message.points[0].positions = np.degrees(message.points[0].positions)
        for names in (getattr(message, "name", None), getattr(message, "joint_names", None)):
            if names:
                names[:] = [name.replace("panda_joint", "arm_j") for name in names]
        return message

    names = {name: name.replace("panda_joint", "arm_j") for name in robot.kinematics.joint_names}
    bag = robot.record(tmp_path / "bag", 1.0, change=other)
    steps, _ = steps_of(bag, replace(profile, joint_unit="deg", joint_names=names), robot)
    assert len(steps) == 10
    np.testing.assert_allclose(steps[3][1].ee_start, robot.tool(0.3), atol=1e-3)


def test_compressed_images_give_the_same_steps(robot, profile, tmp_path):
    """PNG of colour, and depth as compressed_depth_image_transport packs it."""

    class Compressing(type(robot)):
        def events(self, seconds):
            kinds = dict.fromkeys((COLOUR, DEPTH), "sensor_msgs/msg/CompressedImage")
            return [(topic, kinds.get(topic, kind), i, t) for topic, kind, i, t in robot.events(seconds)]

        def make(self, topic, kind, i, t, stamp_ns):
            message = super().make(topic, kind, i, t, stamp_ns)
            if topic == COLOUR:
                form, data = "bgr8; png compressed bgr8", cv2.imencode(".png", message.data.reshape(48, 64, 3))[1]
            elif topic == DEPTH:
                form = "16UC1; compressedDepth png"
                data = np.append(
                    np.zeros(12, np.uint8), cv2.imencode(".png", message.data.view("<u2").reshape(48, 64))[1]
                )
            else:
                return message
            return self.message(kind, header=message.header, format=form, data=data.ravel())

    plain, packed = (
        steps_of(each.record(tmp_path / name, 0.5), profile, robot)[0]
        for each, name in ((robot, "plain"), (Compressing(), "packed"))
    )
    assert len(plain) == len(packed) == 5
    for (_, a), (_, b) in zip(plain, packed, strict=True):
        np.testing.assert_array_equal(a.frames["cam"].rgb, b.frames["cam"].rgb)
        np.testing.assert_array_equal(a.frames["cam"].depth, b.frames["cam"].depth)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"joints": "/other"}, r"expected the topic /other \(joints\), found \["),
        ({"joints": COLOUR}, r"/cam/color/image_raw: expected .*JointState, got sensor_msgs/msg/Image"),
        ({"intrinsics": "rig"}, r"expected the rig's 64 x 48 pixels and K"),
    ],
)
def test_a_profile_that_does_not_fit_is_refused(robot, profile, tmp_path, change, problem):
    bag = robot.record(tmp_path / "bag", 0.5)
    with pytest.raises(BagError, match=problem):
        steps_of(bag, replace(profile, **change), robot)


def test_a_type_that_lacks_what_its_role_needs_is_named(robot, profile, tmp_path):
    own = get_types_from_msg("std_msgs/Header header\nfloat64[] position\n", STATE)

    class Odd(type(robot)):
        """Its joint states have no names."""

        def __init__(self):
            super().__init__()
            fields, self.store = self.store.fielddefs, get_typestore(Stores.EMPTY)
            self.store.register({**fields, **own})

        def make(self, topic, kind, i, t, stamp_ns):
            if topic != JOINTS:
                return super().make(topic, kind, i, t, stamp_ns)
            return self.message(kind, header=self.header(stamp_ns), position=self.q(t))

    bag = Odd().record(tmp_path / "bag", 0.5)
    with pytest.raises(BagError, match=rf"{JOINTS} at .*expected the fields that {STATE} has in Jazzy, got .*'name'"):
        steps_of(bag, profile, robot)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("rig", None, "rig: None is not of type 'string'"),
        ("cameras", {}, "cameras: "),
        ("motion", {"source": "guess"}, "motion.source: 'guess' is not one of"),
        ("motion", {"source": "executed"}, "motion.topic: expected the topic of wm_msgs/Command"),
        ("colour", 1, "file: unknown field"),
    ],
)
def test_a_wrong_profile_is_refused_by_field(profile_file, field, value, problem):
    content = yaml.safe_load(profile_file.read_text()) | {field: value}
    profile_file.write_text(yaml.safe_dump(content))
    with pytest.raises(BagError, match=f"{profile_file}: {problem}"):
        Profile.load(profile_file)


def test_recorded_commands_of_any_version_say_where_the_tool_moves():
    start, end = (SimpleNamespace(x=x, y=0.1, z=0.027) for x in (0.4, 0.43))
    first = SimpleNamespace(ee_start=start, ee_end=end)
    today = SimpleNamespace(tool_start=SimpleNamespace(position=start), tool_end=SimpleNamespace(position=end))
    for command in (first, today):
        before, after = tool_motion(command)
        assert before.position.tolist() == [0.4, 0.1, 0.027] and after.position.tolist() == [0.43, 0.1, 0.027]


def test_trajectories_stamped_now_are_of_when_they_arrived(robot, profile, tmp_path):
    """Each replaced all before it, so that nothing was commanded in any step."""

    def now(topic, i, message):
        if topic == COMMANDS:
            message.header.stamp.sec = message.header.stamp.nanosec = 0
        return message

    stamped, _ = steps_of(robot.record(tmp_path / "stamped", 2.0), profile, robot)
    steps, check = steps_of(robot.record(tmp_path / "now", 2.0, change=now), profile, robot)
    assert len(steps) == 20 and not check.cuts
    for (_, step), (_, expected) in zip(steps[1:], stamped[1:], strict=True):
        np.testing.assert_allclose(step.ee_start, expected.ee_start, atol=3e-4)  # they arrive 2 ms later
        np.testing.assert_allclose(step.ee_end - step.ee_start, [0.1 * SPEED, 0], atol=1e-3)


def test_now_is_by_the_clock_of_the_stamps_where_the_recorder_has_another(robot, profile, tmp_path):
    """As in a simulation, or on a machine whose clock is off."""

    def now(topic, i, message):
        if topic == COMMANDS:
            message.header.stamp.sec = message.header.stamp.nanosec = 0
        return message

    def simulated(topic, stamp_ns):
        return stamp_ns - START_NS + 5_000_000_000

    steps, check = steps_of(robot.record(tmp_path / "now", 2.0, change=now, shift=simulated), profile, robot)
    assert len(steps) == 20 and not check.cuts
    for _, step in steps[1:]:
        np.testing.assert_allclose(step.ee_end - step.ee_start, [0.1 * SPEED, 0], atol=1e-3)


@pytest.mark.parametrize("behind_s", [0.25, -0.25, 1e9])
def test_a_gripper_on_the_arms_topic_with_stamps_of_its_own_cuts_nothing(robot, profile, tmp_path, behind_s):
    """Each of its messages was taken for a jump of the clock."""

    class WithGripper(type(robot)):
        def events(self, seconds):
            found = [(i / 50 + 0.001, JOINTS, STATE, i, i / 50) for i in range(round(50 * seconds))]
            both = [(t, topic, kind, i, t) for topic, kind, i, t in super().events(seconds)] + found
            own = {(t, topic, i) for t, topic, _, i, _ in found}
            self.grippers = own
            return [(topic, kind, i + 10_000 * ((at, topic, i) in own), t) for at, topic, kind, i, t in sorted(both)]

        def make(self, topic, kind, i, t, stamp_ns):
            message = super().make(topic, kind, i % 10_000, t, stamp_ns)
            if i >= 10_000:
                message.header = self.header(stamp_ns - round(behind_s * 1e9))
                message.name, message.position = ["left_finger"], np.array([0.01])
            return message

    steps, check = steps_of(WithGripper().record(tmp_path / "bag", 2.0), profile, robot)
    assert len(steps) == 20 and not check.cuts
    facts = check.topics[JOINTS].facts()
    assert (
        facts["clock_jumps"] == 0
        and 90 < facts["rate_hz"] < 110
        and not [fault for fault in facts["faults"] if "Hz" in fault or "order" in fault]
    )
