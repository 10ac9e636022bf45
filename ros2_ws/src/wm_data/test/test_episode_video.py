"""Bags of video, which need neither commands nor announcements of episodes."""

import episode_bags
import numpy as np
import pytest

from wm_bags.storage.errors import BagError
from wm_data.episode_bag import EpisodeWriter

STEP, DEPTH, NAN, JOINTS = episode_bags.STEP, episode_bags.DEPTH, episode_bags.NAN, episode_bags.JOINTS
read_steps, Faulty, record = episode_bags.read_steps, episode_bags.Faulty, episode_bags.record
always = episode_bags.always


def test_video_needs_neither_commands_nor_announcements(tmp_path):
    writer = EpisodeWriter(tmp_path / "bag", ("camera_left",), video=True)
    bag = record(writer, [i * STEP for i in (0, 1, 2, 20, 21)])
    read = list(read_steps(bag, video=True))
    assert [episode.index for episode, _ in read] == [0, 0, 0, 1, 1]  # ends where frames are missing
    for _, step in read:
        assert step.joint_names == JOINTS
        assert np.isnan(step.ee_start).all() and np.isnan(step.ee_end).all()
        assert step.truth is None


def test_faster_video_is_read_at_the_rate_of_the_model(tmp_path):
    writer = EpisodeWriter(tmp_path / "bag", ("camera_left",), video=True)
    bag = record(writer, [round(i * STEP / 3) for i in range(31)])
    stamps = [step.stamp_ns for _, step in read_steps(bag, video=True)]
    np.testing.assert_allclose(np.diff(stamps), STEP, atol=2)
    assert len(stamps) == 11


@pytest.mark.parametrize(
    ("topic", "changes", "problem"),
    [
        ("joint_states", {"position": always(np.full(7, NAN))}, "finite numbers"),
        (DEPTH, None, "a message in every step"),
    ],
)
def test_faulty_video_is_refused_too(tmp_path, topic, changes, problem):
    bag = record(Faulty(tmp_path / "bag", topic, changes, video=True), [i * STEP for i in range(5)])
    with pytest.raises(BagError, match=f"/{topic} at 0.300 s .*{problem}"):
        list(read_steps(bag, video=True))


def test_slower_video_is_refused(tmp_path):
    bag = record(EpisodeWriter(tmp_path / "bag", ("camera_left",), video=True), [0, 2 * STEP, 4 * STEP])
    with pytest.raises(BagError, match="at least 2 steps"):
        list(read_steps(bag, video=True))
