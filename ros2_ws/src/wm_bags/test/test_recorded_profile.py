"""A bag that wm recorded says with which robot and cameras."""

import numpy as np
import pytest

from wm_bags.steps.profile import Profile
from wm_bags.steps.recorded_profile import PARAMETERS, profile_of
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter
from wm_core.bags import typestore
from wm_core.command_line import main

NONE = np.zeros(0)
KIND = "rcl_interfaces/msg/ParameterEvent"


def recorded(folder, **parameters):
    """A bag of one node's parameters."""
    types = typestore().types
    said = [
        types["rcl_interfaces/msg/Parameter"](
            name=name,
            value=types["rcl_interfaces/msg/ParameterValue"](
                type=4, bool_value=False, integer_value=0, double_value=0.0, string_value=value,
                byte_array_value=NONE.astype("u1"), bool_array_value=NONE.astype(bool), integer_array_value=NONE.astype(int),
                double_array_value=NONE, string_array_value=[],
            ),
        )
        for name, value in parameters.items()
    ]  # fmt: skip
    stamp = types["builtin_interfaces/msg/Time"](sec=1, nanosec=0)
    event = types[KIND](
        stamp=stamp, node="/wm_perception", new_parameters=said, changed_parameters=[], deleted_parameters=[]
    )
    writer = BagWriter(folder)
    writer.add_topic(Topic(PARAMETERS, definition_of(KIND)))
    writer.write(PARAMETERS, typestore().serialize_cdr(event, KIND), 10**9, 10**9)
    writer.close()
    return folder


@pytest.mark.parametrize(
    ("parameters", "robot"), [({"robot": "ur5e"}, "ur5e"), ({"robot": ""}, "panda"), ({}, "panda")]
)
def test_the_robot_is_that_of_the_recording(tmp_path, parameters, robot):
    assert profile_of(recorded(tmp_path / "bag", **parameters)).robot == robot


def test_so_are_the_cameras(tmp_path):
    assert list(profile_of(recorded(tmp_path / "bag", rig="one_camera")).cameras) == ["camera_left"]
    unknown = profile_of(recorded(tmp_path / "other", rig="/nowhere/rig.yaml"))
    assert unknown == Profile.default()


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


def test_what_is_no_bag_is_left_to_its_reader(tmp_path):
    assert profile_of(tmp_path / "nothing") == Profile.default()


def test_the_bag_is_named_once(tmp_path, capsys):
    bag = recorded(tmp_path / "bag", robot="ur5e")
    assert main(["bag", "check", str(bag), "--out", str(tmp_path / "report")]) == 1
    assert capsys.readouterr().out.count(f"{bag}") == 1
