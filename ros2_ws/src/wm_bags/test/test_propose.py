"""A profile for a bag is proposed from what its topics are, are called, and say."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import Writer

from wm_bags.steps.profile import Profile
from wm_bags.steps.propose import propose
from wm_bags.storage.reading import Bag
from wm_core.command_line import main
from wm_core.robot import load_robot, robot_names

COLOUR, DEPTH, INFO = "/cam/color/image_raw", "/cam/aligned_depth_to_color/image_raw", "/cam/color/camera_info"
START_NS = 1_700_000_000_000_000_000  # as in conftest.py
IMAGE, JPEG, LENS = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"
STATE, ARRAY = "sensor_msgs/msg/JointState", "std_msgs/msg/Float64MultiArray"
POSE = "geometry_msgs/msg/PoseStamped"
JOINTS = "/joint_states"
ROBOTS = {name: load_robot(name).joints for name in robot_names()}


def test_a_profile_is_proposed_from_types_and_usual_names(robot, tmp_path, profile_file):
    with Bag(robot.record(tmp_path / "bag", 0.2)) as bag:
        text = propose(bag, ROBOTS)
    assert "not sure: a file with the poses of cam" in text
    assert "joint_trajectory  # trajectory_msgs/JointTrajectory" in text
    assert yaml.safe_load(text)["cameras"] == {"cam": {"color": COLOUR, "depth": DEPTH, "info": INFO}}
    (tmp_path / "proposed.yaml").write_text(text)
    proposed, written = Profile.load(tmp_path / "proposed.yaml"), Profile.load(profile_file)
    assert proposed == replace(written, object=None, episodes=None)


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (  # realsense2_camera and ros2_control
            {
                "/camera/camera/color/image_raw": IMAGE,
                "/camera/camera/color/camera_info": LENS,
                "/camera/camera/depth/image_rect_raw": IMAGE,
                "/camera/camera/aligned_depth_to_color/image_raw": IMAGE,
                "/camera/camera/infra1/image_rect_raw": IMAGE,
                "/joint_states": STATE,
                "/forward_position_controller/commands": ARRAY,
            },
            {
                "camera_camera": "/camera/camera/color/image_raw /camera/camera/aligned_depth_to_color/image_raw"
                " /camera/camera/color/camera_info",
                "motion": "joint_positions /forward_position_controller/commands",
            },
        ),
        (  # compressed, depth of unknown alignment, a tool pose
            {
                "/wrist/rgb/image_raw/compressed": JPEG,
                "/wrist/rgb/camera_info": LENS,
                "/wrist/depth/image_raw/compressedDepth": JPEG,
                "/robot/joint_states": STATE,
                "/servo/target_pose": POSE,
            },
            {
                "wrist": "/wrist/rgb/image_raw/compressed /wrist/depth/image_raw/compressedDepth /wrist/rgb/camera_info",
                "motion": "tool_pose /servo/target_pose",
            },
        ),
    ],
)
def test_topics_of_common_drivers_are_recognised(robot, tmp_path, topics, expected):
    bag = tmp_path / "bag"
    writer = Writer(bag, version=9)
    with writer:
        for topic, kind in topics.items():
            state = robot.store.serialize_cdr(robot.make(JOINTS, STATE, 0, 0.0, START_NS), STATE)
            data = state if kind == STATE else b"\0\1\0\0"  # of the others only the type is looked at
            writer.write(writer.add_connection(topic, kind, typestore=robot.store), 1, data)
    with Bag(bag) as opened:
        text = propose(opened, ROBOTS)
    found = yaml.safe_load(text)
    motion = found["motion"]
    assert expected == {
        **{name: " ".join(camera.values()) for name, camera in found["cameras"].items()},
        "motion": f"{motion['source']} {motion['topic']}",
    }
    assert ("not sure that it is aligned" in text) == ("wrist" in expected)


def bag_of_joints(robot, folder, names):
    """A bag with one message of joint states."""
    writer = Writer(folder, version=9)
    with writer:
        joints = robot.store.types[STATE]
        stamp = robot.make(JOINTS, STATE, 0, 0.0, START_NS).header
        nothing = np.zeros(len(names))
        state = joints(header=stamp, name=list(names), position=nothing, velocity=nothing, effort=nothing)
        data = robot.store.serialize_cdr(state, STATE)
        writer.write(writer.add_connection(JOINTS, STATE, typestore=robot.store), 1, data)
    return folder


@pytest.mark.parametrize("name", ROBOTS)
def test_the_robot_is_recognised_by_its_joints(robot, tmp_path, name, capsys):
    bag = bag_of_joints(robot, tmp_path / "bag", ["finger", *reversed(ROBOTS[name])])
    assert main(["bag", "profile", str(bag)]) == 0
    text = capsys.readouterr().out
    assert f"\nrobot: {name}\n" in text and "names" not in yaml.safe_load(text)["joints"]


def test_a_prefix_before_all_joints_is_recognised(robot, tmp_path):
    names = [f"left_{name}" for name in ROBOTS["ur5e"]]
    with Bag(bag_of_joints(robot, tmp_path / "bag", names)) as bag:
        text = propose(bag, ROBOTS)
    assert "\nrobot: ur5e\n" in text
    assert list(yaml.safe_load(text)["joints"]["names"].items()) == list(zip(ROBOTS["ur5e"], names, strict=True))


def test_of_two_arms_one_is_proposed_and_the_other_named(robot, tmp_path):
    names = [f"{side}_{name}" for side in ("left", "right") for name in ROBOTS["panda"]]
    with Bag(bag_of_joints(robot, tmp_path / "bag", names)) as bag:
        text = propose(bag, ROBOTS)
    assert "robot: panda  # not sure: or panda with right_" in text
    assert yaml.safe_load(text)["joints"]["names"]["panda_joint1"] == "left_panda_joint1"


def test_an_unknown_robot_is_said(robot, tmp_path):
    with Bag(bag_of_joints(robot, tmp_path / "bag", ["axis_2", "axis_1"])) as bag:
        text = propose(bag, ROBOTS)
    assert "robot: panda  # not sure: the bag's joints are not those of" in text and "./wm robot new" in text
    assert yaml.safe_load(text)["joints"]["names"] == {"panda_joint1": "axis_1", "panda_joint2": "axis_2"}
