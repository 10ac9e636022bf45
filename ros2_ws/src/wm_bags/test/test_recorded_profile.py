"""A bag that wm recorded says with which robot and cameras."""

import numpy as np
import pytest

from wm_bags.steps.profile import Profile
from wm_bags.steps.recorded_profile import PARAMETERS, profile_of
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.errors import BagError
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter
from wm_core.bags import typestore
from wm_core.command_line import main
from wm_core.robot import load_robot

NONE = np.zeros(0)
KIND = "rcl_interfaces/msg/ParameterEvent"
ABSOLUTE = {
    "colour_topic": "color/image_raw",
    "depth_topic": "aligned_depth_to_color/image_raw",
    "info_topic": "color/camera_info",
}


def parameters_of(node="/wm_perception", **parameters):
    """What a node says of its parameters: texts, lists of texts and switches."""
    types = typestore().types
    said = [
        types["rcl_interfaces/msg/Parameter"](
            name=name,
            value=types["rcl_interfaces/msg/ParameterValue"](
                type={bool: 1, str: 4, list: 9}[type(value)], bool_value=value is True, integer_value=0, double_value=0.0,
                string_value=value if isinstance(value, str) else "",
                byte_array_value=NONE.astype("u1"), bool_array_value=NONE.astype(bool), integer_array_value=NONE.astype(int),
                double_array_value=NONE, string_array_value=value if isinstance(value, list) else [],
            ),
        )
        for name, value in parameters.items()
    ]  # fmt: skip
    stamp = types["builtin_interfaces/msg/Time"](sec=1, nanosec=0)
    return types[KIND](stamp=stamp, node=node, new_parameters=said, changed_parameters=[], deleted_parameters=[])


def recorded(folder, namespace="", node="wm_perception", infos=(), **parameters):
    """A bag of one node's parameters; `infos`: topics of camera_info that it has too."""
    event = parameters_of(f"{namespace}/{node}", **parameters)
    writer = BagWriter(folder)
    writer.add_topic(Topic(namespace + PARAMETERS, definition_of(KIND)))
    for topic in infos:
        writer.add_topic(Topic(topic, definition_of("sensor_msgs/msg/CameraInfo")))
    writer.write(namespace + PARAMETERS, typestore().serialize_cdr(event, KIND), 10**9, 10**9)
    writer.close()
    return folder


@pytest.mark.parametrize(
    ("parameters", "robot"), [({"robot": "ur5e"}, "ur5e"), ({"robot": ""}, "panda"), ({}, "panda")]
)
def test_the_robot_is_that_of_the_recording(tmp_path, parameters, robot):
    assert profile_of(recorded(tmp_path / "bag", **parameters)).robot == robot


def test_so_are_the_cameras(tmp_path):
    assert list(profile_of(recorded(tmp_path / "bag", rig="one_camera")).cameras) == ["camera_left"]


@pytest.mark.parametrize(
    ("used", "found"), [(["camera_right"], ["camera_right"]), ([], ["camera_left", "camera_right"])]
)
def test_of_the_rig_s_cameras_those_that_perception_used(tmp_path, used, found):
    assert list(profile_of(recorded(tmp_path / "bag", rig="two_cameras", cameras=used)).cameras) == found


def test_a_rig_that_is_not_here_is_not_replaced_by_another(tmp_path):
    with pytest.raises(BagError, match=r"expected the camera rig '/nowhere/rig.yaml' .* --profile"):
        profile_of(recorded(tmp_path / "bag", rig="/nowhere/rig.yaml"))


def test_a_robot_that_is_not_here_is_not_replaced_by_another(tmp_path):
    with pytest.raises(
        BagError, match=r"expected a robot profile, /nowhere/profile.yaml does not exist.* bring them here.*--profile"
    ):
        profile_of(recorded(tmp_path / "bag", robot="/nowhere/profile.yaml"))


def test_so_are_the_topics_of_cameras_and_joints(tmp_path):
    said = {
        "rig": "one_camera",
        "colour_topic": "/{camera}/{camera}/color/image_raw",
        "info_topic": "{camera}/info",
        "joint_topic": "arm/joint_states",
    }
    profile = profile_of(recorded(tmp_path / "bag", **said))
    camera = profile.cameras["camera_left"]
    assert camera.color == "/camera_left/camera_left/color/image_raw" and camera.info == "/camera_left/info"
    assert camera.depth == Profile.default("one_camera").cameras["camera_left"].depth
    assert profile.joints == "/arm/joint_states"


def test_intrinsics_are_those_that_perception_saw_with(tmp_path):
    info = "/camera_left/color/camera_info"
    assert profile_of(recorded(tmp_path / "with", rig="one_camera", infos=[info])).intrinsics == "camera_info"
    assert profile_of(recorded(tmp_path / "without", rig="one_camera")).intrinsics == "rig"
    other = recorded(tmp_path / "other", node="wm_planner", rig="one_camera", infos=[info])
    assert profile_of(other).intrinsics == "rig"  # nobody knows how perception was set up


def test_joints_have_the_names_of_a_prefixed_arm(tmp_path):
    profile = profile_of(recorded(tmp_path / "bag", robot="ur5e", tf_prefix="left_"))
    own = load_robot("ur5e").joints
    assert profile.joint_names == dict(zip(own, load_robot("ur5e", "left_").joints, strict=True))
    assert not profile_of(recorded(tmp_path / "plain", robot="ur5e")).joint_names


def test_topics_are_in_the_namespace_of_the_launch(tmp_path):
    said = {"rig": "one_camera", "colour_topic": "/{camera}/image", "joint_topic": "joints"}
    info = "/cell/left/camera_left/color/camera_info"
    profile = profile_of(recorded(tmp_path / "bag", "/cell/left", infos=[info], **said))
    assert profile.cameras["camera_left"].color == "/camera_left/image"  # absolute
    assert profile.cameras["camera_left"].info == info and profile.intrinsics == "camera_info"
    assert (profile.joints, profile.motion) == ("/cell/left/joints", "/cell/left/wm/executed")
    assert (profile.object, profile.episodes) == ("/cell/left/ground_truth/object_pose", "/cell/left/wm/episode")


@pytest.mark.parametrize("namespace", ["", "/cell"])
def test_a_recording_of_a_real_arm_can_be_used_as_it_is(tmp_path, robot, profile_file, namespace):
    """Camera of another size than the rig says, depth in another frame, joints with a prefix."""
    rig = profile_file.with_name("rig.yaml")
    rig.write_text(rig.read_text().replace("width: 64, height: 48", "width: 128, height: 128"))
    said = {
        "rig": str(rig),
        "aligned_depth": True,
        "rectified": "false",
        "tf_prefix": "left_",
        "joint_topic": "/joint_states",
    }
    said |= {name: f"/{{camera}}/{topic}" for name, topic in ABSOLUTE.items()}

    def change(topic, i, message):
        if topic == "/joint_states":
            message.name = [f"left_{name}" for name in message.name]
        if topic == f"/cam/{ABSOLUTE['depth_topic']}":
            message.header.frame_id = "depth_frame"
        return message

    event = parameters_of(f"{namespace}/wm_perception", **said)
    bag = robot.record(tmp_path / "bag", change=change, extra=[(namespace + PARAMETERS, KIND, event)])
    assert main(["bag", "check", str(bag), "--video", "--out", str(tmp_path / "report")]) == 0


def test_what_is_no_bag_is_left_to_its_reader(tmp_path):
    assert profile_of(tmp_path / "nothing") == Profile.default()


def test_the_bag_is_named_once(tmp_path, capsys):
    bag = recorded(tmp_path / "bag", robot="ur5e")
    assert main(["bag", "check", str(bag), "--out", str(tmp_path / "report")]) == 1
    assert capsys.readouterr().out.count(f"{bag}") == 1


def test_bags_of_robots_that_cannot_be_used_are_left_out_and_the_others_are_looked_at(tmp_path, robot, capsys):
    """One is not on this machine; the profile of another names a joint that its arm has no more."""
    text = load_robot().file.read_text().replace("urdf: panda.urdf", f"urdf: {load_robot().urdf}")
    (tmp_path / "changed.yaml").write_text(text.replace("panda_joint7]", "panda_joint8]"))
    unknown = recorded(tmp_path / "unknown", robot="/nowhere/profile.yaml")
    changed = recorded(tmp_path / "changed", robot=str(tmp_path / "changed.yaml"))
    whole = robot.record(tmp_path / "whole")
    bags = [str(bag) for bag in (unknown, changed, whole)]
    assert main(["bag", "check", *bags, "--out", str(tmp_path / "report")]) == 1
    said = capsys.readouterr().out
    assert f"{unknown}: left out: expected the robot" in said
    assert f"{changed}: left out: " in said and "joint 'panda_joint8': expected one that moves" in said
    assert f"{whole}: " in said and f"written: {tmp_path / 'report/report.html'}" in said
