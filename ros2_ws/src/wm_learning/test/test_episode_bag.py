"""Bags of episodes: what is written is read back, and what is torn or foreign is refused by name."""

import numpy as np
import pytest

from wm_learning.episode_bag import BagError, EpisodeWriter, Frame, Step, read_episodes

JOINTS = tuple(f"panda_joint{i}" for i in range(1, 8))


def make_step(stamp_ns: int, seed: int) -> Step:
    rng = np.random.default_rng(seed)
    frame = Frame(
        rng.integers(0, 255, (8, 6, 3), dtype=np.uint8),
        (rng.integers(0, 2000, (8, 6)) / 1000).astype(np.float32),
        np.array([[100.0, 0, 3], [0, 100, 4], [0, 0, 1]]),
    )
    return Step(
        stamp_ns,
        {"camera_left": frame},
        JOINTS,
        rng.normal(size=7),
        rng.normal(size=2),
        rng.normal(size=2),
        rng.normal(size=7),
    )


def write(path, episodes=2, steps=3):
    writer = EpisodeWriter(path, ("camera_left",))
    written = []
    for episode in range(episodes):
        writer.episode(episode * 10**9, {"world": "tabletop_block", "seed": episode})
        written.append([make_step(episode * 10**9 + i * 10**8, 10 * episode + i) for i in range(steps)])
        for step in written[-1]:
            writer.step(step)
    writer.close()
    return written


def test_episodes_survive_the_bag(tmp_path):
    written = write(tmp_path / "bag")
    read = list(read_episodes(tmp_path / "bag"))
    assert [facts["seed"] for facts, _ in read] == [0, 1]
    for (_, steps), expected in zip(read, written, strict=True):
        assert len(steps) == len(expected)
        for got, want in zip(steps, expected, strict=True):
            assert got.stamp_ns == want.stamp_ns
            assert got.joint_names == want.joint_names
            np.testing.assert_array_equal(got.frames["camera_left"].rgb, want.frames["camera_left"].rgb)
            np.testing.assert_allclose(got.frames["camera_left"].depth, want.frames["camera_left"].depth, atol=5e-4)
            np.testing.assert_allclose(got.joints, want.joints)
            np.testing.assert_allclose(got.ee_end, want.ee_end)
            np.testing.assert_allclose(got.truth, want.truth)


def test_an_unfinished_bag_never_appears_under_its_name(tmp_path):
    EpisodeWriter(tmp_path / "bag", ("camera_left",)).episode(0, {"world": "w", "seed": 0})
    assert not (tmp_path / "bag").exists()
    write(tmp_path / "bag")  # and the torn rest of it does not stand in the way
    assert len(list(read_episodes(tmp_path / "bag"))) == 2


def test_an_existing_bag_is_never_overwritten(tmp_path):
    write(tmp_path / "bag")
    with pytest.raises(BagError, match="exists"):
        EpisodeWriter(tmp_path / "bag", ("camera_left",))


def test_a_truncated_bag_is_refused_by_name(tmp_path):
    write(tmp_path / "bag")
    file = next((tmp_path / "bag").glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(BagError, match="bag"):
        list(read_episodes(tmp_path / "bag"))


def test_a_missing_bag_is_refused_by_name(tmp_path):
    with pytest.raises(BagError, match="nothing_here"):
        list(read_episodes(tmp_path / "nothing_here"))
