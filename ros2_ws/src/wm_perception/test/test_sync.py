"""Pairing by stamp: complete sets in order, whatever arrives late, twice or never."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_perception.sync import FrozenDetector, JointHistory, StampPairing, Travel

PERIOD, TOLERANCE, TIMEOUT = 100, 20, 60


def pairing(*cameras):
    return StampPairing(list(cameras), TOLERANCE, TIMEOUT)


def feed(pair, camera, stamp):
    return [*pair.colour(camera, stamp, f"colour {stamp}"), *pair.depth(camera, stamp, f"depth {stamp}")]


def test_a_set_is_complete_with_its_last_image():
    pair = pairing("left", "right")
    assert feed(pair, "left", 0) == []
    assert pair.depth("right", 5, "depth") == []
    (images,) = pair.colour("right", 5, "colour")
    assert images.stamp_ns == 0  # of the oldest image
    assert set(images.colour) == {"left", "right"}
    assert pair.counts["complete"] == 1


@given(st.permutations([(kind, camera) for kind in ("colour", "depth") for camera in ("left", "right")]))
def test_the_order_of_arrival_does_not_matter(order):
    pair = pairing("left", "right")
    sets = [s for kind, camera in order for s in getattr(pair, kind)(camera, 0, kind)]
    assert len(sets) == 1


def test_a_lost_camera_is_left_out_after_the_timeout():
    pair = pairing("left", "right")
    emitted = [s for i in range(5) for s in feed(pair, "left", i * PERIOD)]
    assert [s.stamp_ns for s in emitted] == [0, 100, 200, 300]
    assert all(set(s.colour) == {"left"} for s in emitted)
    assert pair.counts["partial"] == 4


def test_late_duplicate_and_swapped_images_are_counted():
    pair = pairing("left")
    feed(pair, "left", 0)
    assert feed(pair, "left", 0) == [] and pair.counts["duplicate"] == 2
    feed(pair, "left", 2 * PERIOD)
    assert feed(pair, "left", PERIOD) == []
    assert pair.counts["out_of_order"] == 2 and pair.counts["late"] == 2


def test_a_clock_that_jumps_back_starts_over():
    pair = pairing("left")
    feed(pair, "left", 100 * PERIOD)
    assert [s.stamp_ns for s in feed(pair, "left", PERIOD)] == [PERIOD]
    assert pair.counts["clock_jump"] >= 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["colour", "depth"]), st.sampled_from(["left", "right"]), st.integers(0, 2000)),
        max_size=60,
    )
)
def test_whatever_comes_sets_come_in_order_and_memory_is_bounded(events):
    pair = pairing("left", "right")
    stamps = []
    for kind, camera, stamp in events:
        before = pair.counts["clock_jump"]
        sets = getattr(pair, kind)(camera, stamp, None)
        if pair.counts["clock_jump"] > before:
            stamps.clear()
        stamps += [s.stamp_ns for s in sets]
    assert stamps == sorted(stamps)
    assert len(pair._pending) <= 8


def test_an_unknown_camera_is_refused():
    with pytest.raises(ValueError, match="back"):
        pairing("left").colour("back", 0, None)


def test_joints_nearest_to_a_stamp():
    joints = JointHistory()
    for stamp in (0, 20, 40):
        joints.add(stamp, stamp)
    assert joints.nearest(27, 10) == 20
    assert joints.nearest(100, 10) is None
    joints.add(5, "after a jump back")
    assert joints.nearest(5, 10) == "after a jump back"


def test_a_frozen_camera_is_noticed():
    frozen = FrozenDetector(repeats=3)
    still, moving = bytes(1000), b"\x01" * 1000
    assert [frozen.update("left", data) for data in (still, still, still, moving)] == [False, False, True, False]


def test_the_way_of_the_tool_counts_from_the_first_of_equal_images_and_anew_after_a_leap():
    travel, step_ns = Travel(), 100_000_000
    ways = [travel.update("left", i * step_ns, np.array([0.02 * i, 0.0, 0.0])) for i in range(4)]
    assert ways == pytest.approx([0.0, 0.02, 0.04, 0.06])
    assert travel.update("left", 4 * step_ns, np.array([0.9, 0.0, 0.0])) == 0.0  # 8 m/s: no arm
    assert travel.update("left", 5 * step_ns, np.array([0.08, 0.0, 0.0])) == 0.0
    assert travel.update("left", 6 * step_ns, np.array([0.1, 0.0, 0.0])) == pytest.approx(0.02)
    travel.begin("left")
    assert travel.update("left", 7 * step_ns, np.array([0.12, 0.0, 0.0])) == 0.0
