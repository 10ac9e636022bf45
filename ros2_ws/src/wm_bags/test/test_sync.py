"""Whatever the cameras' rate and beat, steps come at the control rate."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_bags.steps.profile import CameraTopics, Profile
from wm_bags.steps.sync import Cut, Instant, Synchroniser
from wm_bags.storage.reading import Message

STEP_NS = 100_000_000
PROFILE = Profile(Path("rig.yaml"), {"cam": CameraTopics("color", "depth", "info")}, joints="joints")


def synchronise(image_stamps, joint_stamps=None, depth_delay_ns=0):
    """Instants and cuts for images at some stamps; joint j is at the time in seconds."""
    sync = Synchroniser(PROFILE, {"j"}, STEP_NS)
    sync.info("info", SimpleNamespace())
    events = [(stamp, "color") for stamp in image_stamps] + [
        (stamp + depth_delay_ns, "depth") for stamp in image_stamps
    ]
    if joint_stamps is None:
        joint_stamps = range(min(image_stamps) - STEP_NS, max(image_stamps) + STEP_NS, 5_000_000)
    events += [(stamp, "joints") for stamp in joint_stamps]
    found = []
    for stamp, topic in sorted(events):
        if topic == "joints":
            sync.joints(SimpleNamespace(name=["j"], position=[stamp / 1e9]), stamp)
        else:
            found += sync.image(Message(topic, "sensor_msgs/msg/Image", stamp, b"", Path(), ""), stamp)
    return found + list(sync.finish())


# A camera of 11 to 19 Hz has no image near most control periods of 0.1 s: see the next test.
@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(9.5, 10.5) | st.floats(20, 120),
    jitter=st.floats(0, 0.15),
    delay=st.integers(0, 20_000_000),
    seed=st.integers(0, 99),
)
def test_cameras_of_any_rate_give_a_step_per_control_period(rate, jitter, delay, seed):
    rng = np.random.default_rng(seed)
    beats = (np.arange(round(6 * rate)) + rng.uniform(-jitter, jitter, round(6 * rate))) / rate
    stamps = (1_000_000_000 + beats * 1e9).astype(np.int64).tolist()
    found = synchronise(stamps, depth_delay_ns=delay)
    assert all(isinstance(each, Instant) for each in found)
    intervals = np.diff([each.stamp_ns for each in found]) / STEP_NS
    assert np.abs(intervals - 1).max() <= 0.5
    assert abs(intervals.mean() - 1) < 0.06
    for each in found:
        np.testing.assert_allclose(each.joints, each.stamp_ns / 1e9, atol=1e-9)  # interpolated, not the nearest
        assert abs(each.images["depth"].log_ns - each.stamp_ns) <= PROFILE.tolerance_ns


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(10.5, 20), jitter=st.floats(0, 0.15), seed=st.integers(0, 99))
def test_what_a_camera_of_another_beat_cannot_give_is_cut(rate, jitter, seed):
    rng = np.random.default_rng(seed)
    beats = (np.arange(round(6 * rate)) + rng.uniform(-jitter, jitter, round(6 * rate))) / rate
    found = synchronise((1_000_000_000 + beats * 1e9).astype(np.int64).tolist())
    for before, after in zip(found[:-1], found[1:], strict=True):
        if isinstance(before, Instant) and isinstance(after, Instant):
            assert abs((after.stamp_ns - before.stamp_ns) / STEP_NS - 1) <= 0.5
    assert all(isinstance(each, Instant) or each.kind == "gap" for each in found)


def test_where_a_depth_image_was_lost_that_of_another_frame_is_no_substitute():
    """At 30 Hz the depth of 33 ms before was taken, within the tolerance of 50 ms."""
    frames = [1_000_000_000 + i * 33_333_333 for i in range(90)]
    lost = set(range(30, 33))  # one of these is the image of a step
    sync = Synchroniser(PROFILE, {"j"}, STEP_NS)
    sync.info("info", SimpleNamespace())
    found = []
    for i, stamp in enumerate(frames):
        sync.joints(SimpleNamespace(name=["j"], position=[stamp / 1e9]), stamp)
        for topic in ("color", *([] if i in lost else ["depth"])):
            found += sync.image(Message(topic, "sensor_msgs/msg/Image", stamp, b"", Path(), ""), stamp)
    found += sync.finish()
    instants = [each for each in found if isinstance(each, Instant)]
    assert {each.images["depth"].log_ns - each.stamp_ns for each in instants} == {0}
    assert [each.kind for each in found if isinstance(each, Cut)] == ["missing"]


@given(missing=st.integers(2, 30))
def test_a_gap_is_reported_with_its_length(missing):
    stamps = [i * STEP_NS for i in range(50) if not 10 <= i < 10 + missing]
    cuts = [each for each in synchronise(stamps) if isinstance(each, Cut)]
    assert [cut.kind for cut in cuts] == ["gap"]
    assert (cuts[0].from_ns, cuts[0].to_ns) == (10 * STEP_NS, (10 + missing) * STEP_NS)


def test_a_slower_camera_gives_no_steps_that_follow_each_other():
    found = synchronise([i * 5 * STEP_NS // 2 for i in range(10)])
    assert all(isinstance(a, Cut) or isinstance(b, Cut) for a, b in zip(found[:-1], found[1:], strict=True))


def test_joint_states_that_come_late_are_waited_for():
    found = synchronise([i * STEP_NS for i in range(10)], joint_stamps=range(-STEP_NS, 11 * STEP_NS, 3 * STEP_NS // 10))
    assert sum(isinstance(each, Instant) for each in found) == 10
