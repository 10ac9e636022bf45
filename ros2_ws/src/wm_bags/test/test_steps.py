"""Bags that wm did not make become steps of the control rate; what cannot be used is cut out, and the report says why."""

import json
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from wm_bags.steps.check import BagCheck
from wm_bags.steps.motion import tool_motion
from wm_bags.steps.profile import Profile
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.camera_model import Lens, Undistortion
from wm_core.command_line import main

COLOUR, DEPTH, INFO = "/cam/color/image_raw", "/cam/aligned_depth_to_color/image_raw", "/cam/color/camera_info"
START_NS, SPEED = 1_700_000_000_000_000_000, 0.1  # as in conftest.py
IMAGE, JPEG, LENS = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"
STATE, ARRAY = "sensor_msgs/msg/JointState", "std_msgs/msg/Float64MultiArray"
POSE = "geometry_msgs/msg/PoseStamped"
JOINTS, COMMANDS = "/joint_states", "/arm_controller/joint_trajectory"


def steps_of(bag, profile, robot):
    """All steps with their episodes, and the check."""
    check = BagCheck(bag, profile)
    with Bag(bag) as opened:
        return list(check.steps_of(opened, robot.kinematics)), check


@pytest.fixture
def profile(profile_file):
    return Profile.load(profile_file)


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


# -- cuts ----------------------------------------------------------------------------------------------------------


def without(*topics, since, until):
    """Nothing of these topics from one image to another."""
    return lambda topic, i, message: None if topic in topics and since <= i < until else message


def frozen(topic, i, message):
    if topic == COLOUR and 30 <= i < 45:
        message.data = np.random.default_rng(29).integers(0, 255, len(message.data), np.uint8)
    return message


def spoilt(what, since, until, **fields):
    def change(topic, i, message):
        if topic == what and since <= i < until:
            for name, value in fields.items():
                setattr(message, name, value(getattr(message, name)))
        return message

    return change


def nan(values):
    return np.full_like(values, np.nan)


def back(topic, stamp_ns):
    """The robot's clock is set back by an hour after a second."""
    return stamp_ns - 3600 * 10**9 if stamp_ns >= START_NS + 10**9 else stamp_ns


CUTS = {
    "no image for a while": ({"change": without(COLOUR, DEPTH, since=30, until=45)}, "gap", 0.5),
    "no depth for a while": ({"change": without(DEPTH, since=30, until=45)}, "missing", 0.5),
    "no joints for a while": ({"change": without(JOINTS, since=100, until=150)}, "missing", 0.5),
    "a hanging driver": ({"change": frozen}, "frozen image", 0.5),
    "NaN in the joints": ({"change": spoilt(JOINTS, 100, 150, position=nan)}, "NaN", 0.5),
    "an encoding nobody knows": ({"change": spoilt(DEPTH, 30, 45, encoding=lambda _: "8UC1")}, "image", 0.5),
    "too few bytes": ({"change": spoilt(COLOUR, 30, 45, data=lambda data: data[:-9])}, "image", 0.5),
    "joints beyond their limits": ({"change": spoilt(JOINTS, 100, 150, position=lambda q: q + 9)}, "joints", 0.5),
    "a clock that is set back": ({"shift": back}, "clock jump", 0.1),
}


@pytest.mark.parametrize("name", CUTS)
def test_what_cannot_be_used_is_cut_and_the_episode_ends_there(robot, profile, tmp_path, name):
    how, kind, seconds = CUTS[name]
    steps, check = steps_of(robot.record(tmp_path / "bag", 3.0, **how), profile, robot)
    assert kind in {cut.kind for cut in check.cuts}, check.summary()
    assert len(steps) == pytest.approx(30 - 10 * seconds, abs=3)
    assert {episode.index for episode, _ in steps} == {0, 1}
    for (before, first), (after, second) in zip(steps[:-1], steps[1:], strict=True):
        if before.index == after.index:
            assert second.stamp_ns - first.stamp_ns == pytest.approx(1e8, abs=5.1e7)


def test_a_bag_of_which_nothing_is_left_says_why(robot, profile, tmp_path):
    steps, check = steps_of(
        robot.record(tmp_path / "bag", 1.0, change=without(DEPTH, since=1, until=99)), profile, robot
    )
    assert not steps
    assert f"{DEPTH} at" in check.why_nothing()
    assert "expected a message in every step, got none within 50 ms" in check.why_nothing()


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


# -- profiles ------------------------------------------------------------------------------------------------------


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


# -- the report ----------------------------------------------------------------------------------------------------


def test_the_report_names_faults_and_seconds(robot, profile_file, tmp_path, capsys):
    bag = robot.record(tmp_path / "bag", 3.0, change=without(COLOUR, DEPTH, since=30, until=45))
    spoilt_bag = robot.record(tmp_path / "spoilt", 2.0, change=spoilt(JOINTS, 100, 120, position=nan))
    arguments = [
        "bag",
        "check",
        str(bag),
        str(spoilt_bag),
        "--profile",
        str(profile_file),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 0
    assert "2.5 s kept, cut: 0.5 s gap" in capsys.readouterr().out
    first, second = json.loads((tmp_path / "out" / "report.json").read_text())["bags"]
    assert first["topics"][COLOUR]["messages"] == 75
    assert first["topics"][COLOUR]["faults"] == ["gaps: 1, the longest 0.533 s"]
    assert first["topics"][JOINTS]["joint_names"][0][0] == "finger"
    assert first["topics"][COLOUR]["stamp_minus_receipt_ms"]["median"] == pytest.approx(-2)
    assert second["topics"][JOINTS]["not_finite"] == 20
    assert second["lost_s"]["NaN"] == pytest.approx(0.2)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<svg" in page and "20 messages with NaN" in page


def test_recorded_commands_of_any_version_say_where_the_tool_moves():
    start, end = (SimpleNamespace(x=x, y=0.1, z=0.027) for x in (0.4, 0.43))
    first = SimpleNamespace(ee_start=start, ee_end=end)
    today = SimpleNamespace(tool_start=SimpleNamespace(position=start), tool_end=SimpleNamespace(position=end))
    for command in (first, today):
        before, after = tool_motion(command)
        assert before.position.tolist() == [0.4, 0.1, 0.027] and after.position.tolist() == [0.43, 0.1, 0.027]


DISTORTION = [-0.33, 0.12, 0.001, -0.0005, -0.02]


def frames_by(robot, profile, tmp_path, change):
    steps, check = steps_of(robot.record(tmp_path / "bag", 1.0, change=change), profile, robot)
    return [step.frames["cam"] for _, step in steps], check


def of_info(topic_change):
    def change(topic, i, message):
        if topic == INFO:
            topic_change(message)
        return message

    return change


def test_a_camera_info_of_the_whole_sensor_serves_the_binned_images(robot, profile, tmp_path):
    """It was refused for its size."""

    def sensor(info):
        info.width, info.height, info.binning_x, info.binning_y = 128, 96, 2, 2
        info.k = np.array([[120.0, 0, 63.5], [0, 120, 47.5], [0, 0, 1]]).ravel()

    frames, _ = frames_by(robot, profile, tmp_path, of_info(sensor))
    np.testing.assert_allclose(frames[0].K, [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])


def test_a_camera_info_of_another_resolution_is_refused(robot, profile, tmp_path):
    def other(info):
        info.width, info.height = 128, 72

    frames, check = frames_by(robot, profile, tmp_path, of_info(other))
    assert not frames and "explains an image of 64 x 48, got 128 x 72" in check.why_nothing()


def test_lens_distortion_is_taken_out_of_colour_and_depth(robot, profile, tmp_path):
    def distorted(info):
        info.d = np.array(DISTORTION)

    plain, _ = frames_by(robot, profile, tmp_path / "plain", lambda topic, i, message: message)
    frames, _ = frames_by(robot, profile, tmp_path / "lens", of_info(distorted))
    expected = Undistortion(Lens(plain[0].K, 64, 48, "plumb_bob", tuple(DISTORTION)))
    np.testing.assert_array_equal(frames[0].rgb, expected.rgb(plain[0].rgb))
    np.testing.assert_array_equal(frames[0].depth, expected.depth(plain[0].depth))
    assert (frames[0].rgb != plain[0].rgb).any()


def test_depth_of_another_camera_is_refused_with_the_remedy(robot, profile, tmp_path):
    def change(topic, i, message):
        if topic == DEPTH:
            message.header.frame_id = "cam_depth_optical_frame"
        return message

    frames, check = frames_by(robot, profile, tmp_path, change)
    assert not frames
    assert frames_by(robot, replace(profile, aligned_depth=True), tmp_path / "nevertheless", change)[0]
    assert (
        "colour image's frame 'frame', got frame_id 'cam_depth_optical_frame'; record depth aligned"
        in check.why_nothing()
    )


def test_the_rigs_depth_unit_goes_for_every_encoding(robot, profile, tmp_path):
    def change(topic, i, message):
        if topic == DEPTH:
            values = message.data.view("<u2").astype("<f4")  # millimetres, as floats
            return robot.image(message.header, "32FC1", 4, values.view(np.uint8))
        return message

    rig = tmp_path / "unit.yaml"
    rig.write_text(profile.rig.read_text().replace("name: cam,", "name: cam, depth_unit: 0.001,"))
    plain, _ = frames_by(robot, profile, tmp_path / "plain", lambda topic, i, message: message)
    frames, _ = frames_by(robot, replace(profile, rig=rig), tmp_path / "floats", change)
    np.testing.assert_allclose(frames[0].depth, plain[0].depth, atol=1e-6)


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
