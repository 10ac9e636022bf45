"""The files for rosbag2's own recorder say what wm_recorder records, in rosbag2's words."""

import yaml
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from wm_bags.record.topics import LATCHED, SENSOR, complete
from wm_bringup.graph_parts import config
from wm_core.paths import rig_path
from wm_core.rig import CameraRig

EXPECTED = complete(camera.name for camera in CameraRig.load(rig_path("two_cameras")).cameras)


def read(name):
    return yaml.safe_load(config(name).read_text())


def test_its_topics_are_those_of_wm_recorder():
    parameters = read("record_topics.yaml")["/**"]["ros__parameters"]
    assert parameters["record"]["topics"] == [f"/{each.name}" for each in EXPECTED]
    assert parameters["storage"]["storage_id"] == "mcap"


def test_its_profiles_are_those_of_wm_recorder():
    profiles = {
        topic: QoSProfile(
            depth=values["depth"],
            history=HistoryPolicy.get_from_short_key(values["history"]),
            reliability=ReliabilityPolicy.get_from_short_key(values["reliability"]),
            durability=DurabilityPolicy.get_from_short_key(values["durability"]),
        )
        for topic, values in read("record_qos_overrides.yaml").items()
    }
    assert list(profiles) == [f"/{each.name}" for each in EXPECTED]
    for each, profile in zip(EXPECTED, profiles.values(), strict=True):
        assert profile.depth == 1000
        assert (profile.reliability == ReliabilityPolicy.BEST_EFFORT) == (each.kind == SENSOR)
        assert (profile.durability == DurabilityPolicy.TRANSIENT_LOCAL) == (each.kind == LATCHED)


def test_chunks_get_their_checksums():
    assert read("record_storage.yaml")["noChunkCRC"] is False
