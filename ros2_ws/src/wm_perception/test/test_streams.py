"""Topics that are silent are named, with who publishes there and the parameter that names another."""

import pytest

from wm_perception.streams import COLOUR, DEPTH, INFO, JOINTS, Streams


class Cell:
    """A camera and an arm, of which some are heard ten times a second."""

    def __init__(self):
        self.now = 100.0
        self.streams = Streams(lambda topic, kind: f"0 publishers of {kind.rpartition('/')[2]}", lambda: self.now)
        for kind in (COLOUR, DEPTH, INFO):
            self.streams.add(kind, f"/cam/{kind}", "cam")
        self.streams.add(JOINTS, "/joint_states")
        self.streams.begin()

    def run(self, seconds, *heard):
        for _ in range(round(10 * seconds)):
            self.now += 0.1
            for kind in heard:
                self.streams.heard(kind, "" if kind == JOINTS else "cam")


@pytest.fixture
def cell():
    return Cell()


def test_all_that_never_came_is_named_with_who_publishes_and_what_to_set(cell):
    cell.run(1.9)
    assert cell.streams.silent() == []
    cell.run(3.1)
    assert cell.streams.silent() == [
        f"nothing on {topic} for 5 s (0 publishers of {kind}): start its driver, or set {parameter}"
        for topic, kind, parameter in (
            ("/cam/colour", "Image", "colour_topic"),
            ("/cam/depth", "Image", "depth_topic"),
            ("/cam/info", "CameraInfo", "info_topic"),
            ("/joint_states", "JointState", "joint_topic"),
        )
    ]


def test_what_falls_silent_later_is_named_and_no_more_when_it_is_back(cell):
    cell.streams.informed("cam")
    cell.run(10, COLOUR, DEPTH, JOINTS)
    assert cell.streams.silent() == []  # a camera_info need come once only
    cell.run(3, COLOUR, JOINTS)
    (said,) = cell.streams.silent()
    assert said.startswith("nothing on /cam/depth for 3 s")
    cell.run(0.1, DEPTH)
    assert cell.streams.silent() == []


def test_images_without_a_camera_info_are_said_to_be_taken_for_the_rigs(cell):
    cell.run(2.9, COLOUR, DEPTH, JOINTS)
    assert cell.streams.uninformed() == {}
    cell.run(1, COLOUR, DEPTH, JOINTS)
    assert cell.streams.uninformed()["cam"] == (
        "no camera_info on /cam/info (0 publishers of CameraInfo): the rig's field of view is used, without distortion; set info_topic"
    )
    assert cell.streams.silent() == []  # that says it
    cell.streams.informed("cam")
    assert cell.streams.uninformed() == {}


def test_a_camera_info_that_comes_a_little_after_the_first_image_is_awaited(cell):
    cell.run(2.9, COLOUR)
    assert cell.streams.awaits_info("cam")
    cell.run(1, COLOUR)
    assert not cell.streams.awaits_info("cam")  # now it is missing
    cell.streams.informed("cam")
    assert not cell.streams.awaits_info("cam")


def test_time_before_the_node_is_active_does_not_count(cell):
    cell.run(60)
    cell.streams.begin()
    assert cell.streams.silent() == []
