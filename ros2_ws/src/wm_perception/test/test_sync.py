"""Pairing by stamp: complete sets in order, whatever arrives late, twice or never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_perception.sync import JointHistory, StampPairing

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


MS = 1_000_000
REAL_TOLERANCE = 40 * MS  # of arm_real.example.yaml


def driven(rate, frames, depth_lag=0, depth_phase_ms=0.0, lost=(), lost_colour=(), jitter=None):
    """Sets of a camera whose depth message comes `depth_lag` frames after the colour of the same stamp, and the counts."""
    pair = StampPairing(["cam"], REAL_TOLERANCE, 60 * MS)
    period = 1000 / rate * MS
    events = []
    for i in range(frames):
        wobble = 0 if jitter is None else jitter[i]
        stamp = round(1e12 + i * period + wobble * MS)
        if i not in lost_colour:
            events.append((i * period, "colour", stamp))
        if i not in lost:
            events.append(((i + depth_lag) * period + 1, "depth", stamp + round(depth_phase_ms * MS)))
    sets = [each for _, kind, stamp in sorted(events) for each in getattr(pair, kind)("cam", stamp, stamp)]
    return sets, pair.counts


def apart_ms(sets):
    return [(each.depth["cam"] - each.colour["cam"]) / MS for each in sets]


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
@pytest.mark.parametrize("rate", [15, 30, 60, 90])
def test_depth_that_comes_frames_after_colour_is_paired_with_its_own_colour(rate, lag):
    """It was paired with the colour that had come meanwhile, 33 ms younger, and every set was counted complete."""
    sets, counts = driven(rate, 60, depth_lag=lag)
    assert apart_ms(sets) == [0.0] * 60
    assert dict(counts) == {"complete": 60}


@pytest.mark.parametrize("rate", [30, 60])
def test_a_lost_depth_image_takes_no_other_colour(rate):
    sets, counts = driven(rate, 60, depth_lag=1, lost={10, 11, 25})
    assert set(apart_ms(sets)) == {0.0} and len(sets) == 57
    assert dict(counts) == {"complete": 57, "missing": 3}


@pytest.mark.parametrize("rate", [30, 60])
def test_depth_without_its_colour_is_counted_as_mismatched(rate):
    """There was colour within the tolerance, of the frame after it."""
    sets, counts = driven(rate, 60, depth_lag=1, lost_colour={10, 20, 25})
    assert set(apart_ms(sets)) == {0.0}
    assert dict(counts) == {"complete": 57, "mismatched": 3}


@given(phase=st.floats(-16, 16), lag=st.integers(0, 2), jitter=st.lists(st.floats(-2, 2), min_size=90, max_size=90))
def test_a_sensor_that_is_not_triggered_with_the_other_gives_the_nearest_frames(phase, lag, jitter):
    sets, counts = driven(30, 90, depth_lag=lag, depth_phase_ms=phase, jitter=jitter)
    assert max(map(abs, apart_ms(sets)[1:])) <= 0.6 * 35  # half a period, and the jitter
    assert counts["complete"] >= 81


def test_two_cameras_that_nobody_triggers_together_share_their_instants():
    pair = StampPairing(["left", "right"], REAL_TOLERANCE, 60 * MS)
    for i in range(60):
        feed(pair, "left", round(1e12 + i * 33.3 * MS))
        feed(pair, "right", round(1e12 + (i * 33.3 + 12) * MS))
    assert pair.counts["complete"] >= 58 and pair.counts["partial"] <= 1


def test_a_camera_whose_depth_takes_longer_is_waited_for():
    pair = StampPairing(["left", "right"], REAL_TOLERANCE, 100 * MS)  # sync_timeout of arm_real.example.yaml
    sets = []
    for i in range(60):
        stamp = round(1e12 + i * 33.3 * MS)
        sets += feed(pair, "left", stamp)
        sets += pair.colour("right", stamp, f"colour {stamp}")
        if i >= 2:
            late = round(1e12 + (i - 2) * 33.3 * MS)
            sets += pair.depth("right", late, f"depth {late}")
    assert dict(pair.counts) == {"complete": 58}
    assert all(
        {image.split()[1] for image in [*s.colour.values(), *s.depth.values()]} == {str(s.stamp_ns)} for s in sets
    )


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


@pytest.mark.parametrize("rate", [50, 500, 1000])
def test_joints_of_images_that_come_a_second_late(rate):
    joints = JointHistory()
    for i in range(3 * rate):
        joints.add(i * 1000 // rate * MS, i / rate)
    assert joints.nearest(2000 * MS, 20 * MS) == pytest.approx(2.0)
    assert joints.nearest(500 * MS, 20 * MS) is None  # forgotten
