"""Bags of episodes: what is written is read back, and every fault is refused with bag, topic and time."""

from dataclasses import replace

import episode_bags
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wm_bags.storage.errors import BagError
from wm_data.episode_bag import EpisodeWriter

STEP, COLOUR, DEPTH, INFO = episode_bags.STEP, episode_bags.COLOUR, episode_bags.DEPTH, episode_bags.INFO
NAN, INF, read_steps, make_step = episode_bags.NAN, episode_bags.INF, episode_bags.read_steps, episode_bags.make_step
Faulty, record, always = episode_bags.Faulty, episode_bags.record, episode_bags.always


def write(path, episodes=2, steps=3):
    writer = EpisodeWriter(path, ("camera_left",))
    written = []
    for episode in range(episodes):
        writer.begin(episode * 10**9, "tabletop_block", episode)
        written.append([make_step(episode * 10**9 + i * 10**8, 10 * episode + i) for i in range(steps)])
        for step in written[-1]:
            writer.step(step)
        writer.end(written[-1][-1].stamp_ns, "tabletop_block", episode)
    writer.close()
    return written


def tool_at(x):
    """A fault of a tool: another x."""
    return lambda tool: replace(tool, position=replace(tool.position, x=x))


def pose_of(x):
    return lambda pose: replace(pose, position=replace(pose.position, x=x))


def turned(w):
    return lambda pose: replace(pose, orientation=replace(pose.orientation, w=w))


def test_episodes_survive_the_bag(tmp_path):
    written = write(tmp_path / "bag")
    read = list(read_steps(tmp_path / "bag"))
    assert [(episode.world, episode.seed) for episode, _ in read] == [
        ("tabletop_block", seed) for seed in (0, 0, 0, 1, 1, 1)
    ]
    for (_, got), want in zip(read, [step for steps in written for step in steps], strict=True):
        assert got.stamp_ns == want.stamp_ns
        assert got.joint_names == want.joint_names
        np.testing.assert_array_equal(got.frames["camera_left"].rgb, want.frames["camera_left"].rgb)
        np.testing.assert_allclose(got.frames["camera_left"].depth, want.frames["camera_left"].depth, atol=5e-4)
        np.testing.assert_allclose(got.joints, want.joints)
        np.testing.assert_allclose(got.ee_end, want.ee_end)
        np.testing.assert_allclose(got.truth, want.truth)


def test_an_unfinished_bag_never_appears_under_its_name(tmp_path):
    EpisodeWriter(tmp_path / "bag", ("camera_left",)).begin(0, "w", 0)
    assert not (tmp_path / "bag").exists()
    write(tmp_path / "bag")  # and the torn rest of it does not stand in the way
    assert len(list(read_steps(tmp_path / "bag"))) == 6


def test_an_existing_bag_is_never_overwritten(tmp_path):
    write(tmp_path / "bag")
    with pytest.raises(BagError, match="exists"):
        EpisodeWriter(tmp_path / "bag", ("camera_left",))


FAULTS = {
    "NaN joints": ("joint_states", {"position": always(np.array([NAN] * 7))}, "finite numbers"),
    "infinite joints": ("joint_states", {"position": always(np.array([INF] * 7))}, "finite numbers"),
    "fewer positions than names": ("joint_states", {"position": always(np.zeros(6))}, "7 positions .* got 6"),
    "no joints": ("joint_states", None, "expected joint states"),
    "NaN command": ("wm/executed", {"tool_end": tool_at(NAN)}, "finite numbers"),
    "NaN label": ("ground_truth/object_pose", {"pose": pose_of(NAN)}, "finite numbers"),
    "no quaternion": ("ground_truth/object_pose", {"pose": turned(1e300)}, "unit quaternion"),
    "NaN intrinsics": (INFO, {"k": always(np.full(9, NAN))}, "finite numbers"),
    "uncalibrated camera": (INFO, {"k": always(np.zeros(9))}, "focal lengths above 0"),
    "info of another size": (INFO, {"width": always(640)}, "6 x 8, got 640 x 8"),
    "unknown colours": (COLOUR, {"encoding": always("nv21")}, "got encoding 'nv21'"),
    "unknown depth": (DEPTH, {"encoding": always("8UC1")}, "got encoding '8UC1'"),
    "too few bytes": (COLOUR, {"data": lambda data: data[:-5]}, "expected 144 bytes"),
    "wrong row length": (DEPTH, {"step": always(5)}, "step of at least 12 bytes"),
    "depth not aligned": (
        DEPTH,
        {"height": always(4), "data": lambda data: data[: 4 * 12]},
        "colour image's 6 x 8, got 6 x 4",
    ),
    "a camera that stops": (DEPTH, None, "a message in every step, got none"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_message_is_refused_with_bag_topic_and_time(tmp_path, name):
    topic, changes, problem = FAULTS[name]
    bag = record(Faulty(tmp_path / "bag", topic, changes), [i * STEP for i in range(5)])
    with pytest.raises(BagError, match=problem) as refusal:
        list(read_steps(bag))
    assert f"{bag}: /{topic} at 0.300 s (300000000 ns)" in str(refusal.value)


@pytest.mark.parametrize(
    ("stamps", "problem"),
    [
        ([0, 1, 2, 2, 3], "at 0.200 s .* rising stamps"),
        ([0, 1, 2, 5, 6], "at 0.500 s .* got 300 ms since the last"),
        ([0, 2, 4, 6], "at 0.200 s .* every 100 ms, the model's, got 200 ms"),
        ([0, 1.3, 2.6, 3.9], "steps of 100 ms, the model's, got 130.0 ms on average"),
        ([0], "at least 2 steps .* got 1"),
        ([], "at least 2 steps .* got 0"),
    ],
)
def test_steps_that_do_not_follow_each_other_are_refused(tmp_path, stamps, problem):
    writer = EpisodeWriter(tmp_path / "bag", ("camera_left",))
    bag = record(writer, [round(stamp * STEP) for stamp in stamps])
    with pytest.raises(BagError, match=problem):
        list(read_steps(bag))


def test_stamps_that_run_backwards_are_refused(tmp_path):
    class Backwards(EpisodeWriter):
        def _header(self, stamp_ns, frame):
            return super()._header(STEP * 10 - stamp_ns, frame)

    bag = record(Backwards(tmp_path / "bag", ("camera_left",)), [i * STEP for i in range(5)])
    with pytest.raises(BagError, match="color/image_raw at 0.900 s .* rising stamps"):
        list(read_steps(bag))


def test_a_camera_without_any_depth_in_an_episode_is_refused(tmp_path):
    zeros = {"data": lambda data: np.zeros_like(data)}
    bag = record(Faulty(tmp_path / "bag", DEPTH, zeros, since_ns=0), [0, STEP, 2 * STEP])
    with pytest.raises(BagError, match=f"/{DEPTH} at 0.000 s .* no reading in all 3 steps"):
        list(read_steps(bag))


def test_what_is_recorded_between_episodes_is_left_out(tmp_path):
    writer = EpisodeWriter(tmp_path / "bag", ("camera_left",))
    writer.begin(0, "tabletop_block", 7)
    for i in range(5):
        writer.step(make_step(i * STEP, i))
        if i == 2:
            writer.end(i * STEP, "tabletop_block", 7)
    assert len(list(read_steps(writer.close()))) == 3


def test_an_empty_bag_and_one_without_episodes_are_refused(tmp_path):
    EpisodeWriter(tmp_path / "empty", ("camera_left",)).close()
    record(Faulty(tmp_path / "silent", "wm/episode", None, since_ns=0), [0, STEP])
    for name in ("empty", "silent"):
        with pytest.raises(BagError, match=f"{name}: expected episodes announced on /wm/episode, got none"):
            list(read_steps(tmp_path / name))


def test_a_missing_topic_is_named(tmp_path):
    bag = record(EpisodeWriter(tmp_path / "bag", ("camera_left",), video=True), [0, STEP])
    with pytest.raises(BagError, match=r"bag: expected the topic .*/wm/episode \(episodes\), found"):
        list(read_steps(bag))
    writer = EpisodeWriter(tmp_path / "dark", ())
    writer.step(replace(make_step(0, 0), frames={}))
    bag = writer.close()
    with pytest.raises(BagError, match="dark: expected the topic /camera_left/color/image_raw"):
        list(read_steps(bag))


def test_what_is_no_bag_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("no bag")
    for name, problem in (("nothing_here", "got nothing"), ("file", "got a file")):
        with pytest.raises(BagError, match=f"{name}: .*{problem}"):
            list(read_steps(tmp_path / name))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The bytes of a sound bag's file, and the bag."""
    bag = tmp_path_factory.mktemp("sound") / "bag"
    write(bag)
    return bag, next(bag.glob("*.mcap")).read_bytes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_bag_torn_anywhere_is_refused_by_name(sound, share):
    bag, content = sound
    next(bag.glob("*.mcap")).write_bytes(content[: int(share * len(content))])
    with pytest.raises(BagError, match=str(bag)):
        list(read_steps(bag))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_changes_nothing(sound, place, flip):
    bag, content = sound
    damaged = bytearray(content)
    damaged[int(place * len(content))] ^= flip
    next(bag.glob("*.mcap")).write_bytes(bytes(damaged))
    try:
        read = [step for _, step in read_steps(bag)]
    except BagError as refusal:
        assert str(bag) in str(refusal)
        return
    assert len(read) == 6
    for got, want in zip(
        read, [make_step(e * 10**9 + i * 10**8, 10 * e + i) for e in (0, 1) for i in range(3)], strict=True
    ):
        np.testing.assert_array_equal(got.frames["camera_left"].rgb, want.frames["camera_left"].rgb)
        np.testing.assert_allclose(got.frames["camera_left"].depth, want.frames["camera_left"].depth, atol=5e-4)
        np.testing.assert_array_equal(got.joints, want.joints)
        np.testing.assert_allclose(got.ee_end, want.ee_end)
        assert got.stamp_ns == want.stamp_ns
