"""Topics that should be recorded and say nothing are named."""

import pytest

from wm_bags.record.expected import expected_of
from wm_bags.record.silence import PATIENCE_S, Silence
from wm_bags.record.topics import complete

LATER = PATIENCE_S + 1


def test_a_topic_that_never_spoke_and_one_that_ceased_are_silent():
    silence = Silence(0.0)
    silence.need(["/image", "/joint_states", "/depth"], 0.0)
    assert silence.silent(1.0) == {}  # a camera takes some seconds to start
    silence.heard("/joint_states", 2.0)
    silence.heard("/depth", LATER)
    silence.heard("/unknown", LATER)
    assert silence.silent(LATER) == {"/image": LATER}
    assert silence.silent(2 + LATER) == {"/image": 2 + LATER, "/joint_states": LATER}
    assert silence.never() == ["/image"]


def test_what_is_needed_may_turn_out_to_be_elsewhere():
    silence = Silence(0.0)
    silence.need(["/camera/color", "/joint_states"], 0.0)
    silence.heard("/joint_states", LATER)
    silence.need(["/camera/camera/color", "/joint_states"], LATER)
    assert silence.silent(LATER + 1) == {}
    assert silence.never() == ["/camera/camera/color"]


def test_cameras_and_joints_are_needed_where_perception_has_them():
    found = expected_of(
        {
            "rig": "one_camera",
            "depth_topic": "/{camera}/depth/registered",
            "joint_topic": "arm/joints",
            "robot": "panda",
        }
    )
    assert {each.name for each in found if each.needed} == {
        "camera_left/color/image_raw",
        "camera_left/color/camera_info",
        "/camera_left/depth/registered",
        "arm/joints",
    }
    assert expected_of({"rig": "one_camera"}) == complete(["camera_left"])
    with pytest.raises(ValueError, match="nowhere"):
        expected_of({"rig": "/nowhere.yaml"})
