"""Bags become datasets; what does not fit is refused by name; a kill leaves the old or the new one."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml
from episode_bags import bag_of_robot

from wm_bags.steps.frames import Frame, Step
from wm_bags.steps.profile import Profile
from wm_bags.steps.strict import strict_steps
from wm_bags.storage.errors import BagError
from wm_core.command_line import main
from wm_core.config import SettingError
from wm_core.kinematics import Kinematics
from wm_core.paths import rigs_dir
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_data.collect import Batch, collect_bag
from wm_data.dataset import SMALL, Dataset
from wm_data.dataset_build import Reading, build_dataset
from wm_data.episode_bag import EpisodeWriter
from wm_data.loading import load_data
from wm_data.rows import JoinedRows
from wm_tasks.settings import TASK

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height

STEP = 10**8
KINEMATICS = Kinematics(load_robot())
HOME = np.array([0, -0.3, 0, -2.2, 0, 2, 0.8])


def bag_of(path, change=lambda i, step: step, video=False, steps=4, seed=0, world="tabletop_block"):
    """A bag of one episode: the cameras see the table, the tool moves along x; `change` spoils steps."""
    rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
    rng = np.random.default_rng(seed)
    writer = EpisodeWriter(path, tuple(camera.name for camera in rig.cameras), video)
    writer.begin(0, world, seed)
    for i in range(steps):
        start, end = np.array([[0.4 + 0.02 * i, 0.01 * seed], [0.42 + 0.02 * i, 0.01 * seed]])
        q = KINEMATICS.ik(np.array([*start, TOOL_HEIGHT]), TOOL_DOWN, HOME)
        frames = {}
        for camera in rig.cameras:
            shape = (camera.height, camera.width)
            frames[camera.name] = Frame(
                rng.integers(0, 255, (*shape, 3), np.uint8), np.full(shape, 0.9, np.float32), camera.K
            )
        truth = np.array([0.5, 0.1, 0.02, 0, 0, 0, 1])
        step = Step(i * STEP, frames, tuple(KINEMATICS.joint_names), q, start, end, truth)
        writer.step(change(i, step))
    return writer.close()


# -- building ------------------------------------------------------------------------------------------------------


def test_bags_become_one_dataset(tmp_path):
    bags = [bag_of(tmp_path / f"bag{i}", seed=i) for i in range(2)]
    data = build_dataset(bags, tmp_path / "dataset", workers=1)
    assert data.bev.shape == (8, 2, 5, 64, 80)
    assert data.bev[:, :, 4].any()
    assert data.episode.tolist() == [0] * 4 + [1] * 4
    assert (data.worlds, data.seeds) == (["tabletop_block"], [0, 1])
    np.testing.assert_allclose(data.target_xy[:4, 0], [0.4, 0.42, 0.44, 0.46], atol=1e-6)
    np.testing.assert_allclose(data.tool[:, :5], data.target[:, :5], atol=1e-3)
    assert np.isnan(data.tool_at(("opening",))).all()  # nobody measures it
    assert data.action_spec.to_dict() == TASK.action.to_dict() and data.objects.shape == (8, 1, 4)
    np.testing.assert_allclose(data.action, np.tile([[2 / 3, 0]], (8, 1)), atol=1e-6)
    assert isinstance(data.bev, np.memmap)  # on disk, whatever its size
    assert not data.video


def test_video_has_no_commands_and_no_labels(tmp_path):
    bag_of(tmp_path / "silent", video=True)
    bag_of(tmp_path / "full")
    silent, full = (
        build_dataset([tmp_path / name], tmp_path / f"{name}.data", 1, Reading(video=True))
        for name in ("silent", "full")
    )
    for data in (silent, full):  # commands and labels of a full bag are ignored
        assert data.video
        assert np.isnan(data.objects).all()
        assert np.isfinite(data.tool_xy).all()
    np.testing.assert_array_equal(silent.bev, full.bev)


def degrees(i, step):
    return replace(step, joints=np.degrees(step.joints)) if i == 2 else step


def other_robot(i, step):
    return replace(step, joint_names=tuple(f"ur5_{name}" for name in step.joint_names))


def fast(i, step):
    return replace(step, ee_end=step.ee_start + 0.1) if i == 1 else step


def other_size(i, step):
    frames = {name: Frame(f.rgb[::2, ::2], f.depth[::2, ::2], f.K) for name, f in step.frames.items()}
    return replace(step, frames=frames)


def other_lens(i, step):
    return replace(step, frames={name: Frame(f.rgb, f.depth, f.K * 1.1) for name, f in step.frames.items()})


def far_away(i, step):
    frames = {name: Frame(f.rgb, np.full_like(f.depth, 9), f.K) for name, f in step.frames.items()}
    return replace(step, frames=frames)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (degrees, r"/joint_states at 0\.200 s .*expected radians within the limits, got .* of \['panda_joint"),
        (other_robot, r"/joint_states at 0\.000 s .*expected joints .*another robot"),
        (fast, r"/wm/executed at 0\.100 s .*at most 0\.03 m in a step"),
        (other_size, r"/camera_left/color/camera_info at 0\.000 s .*expected the rig's 128 x 128 pixels.*got 64 x 64"),
        (other_lens, r"/camera_left/color/camera_info at 0\.000 s .*use the rig"),
        (far_away, r"/camera_left/aligned_depth_to_color/image_raw .*expected a view of the table"),
    ],
)
def test_a_bag_of_another_setup_is_refused(tmp_path, change, problem):
    bag = bag_of(tmp_path / "bag", change)
    with pytest.raises(BagError, match=f"^{bag}: .*{problem}"):
        build_dataset([bag], tmp_path / "run" / "dataset", 1, Reading(strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]  # nothing half-written


def test_the_command_line_refuses_in_one_line(tmp_path, capsys):
    bag = bag_of(tmp_path / "bag", degrees)
    assert main(["dataset", str(bag), "--strict", "--out", str(tmp_path / "dataset")]) == 1
    assert capsys.readouterr().err.startswith(f"wm: {bag}: /joint_states at 0.200 s")


# -- bags of anyone's making -----------------------------------------------------------------------------------------


def test_what_wm_collects_comes_out_of_both_modes_alike(tmp_path):
    bag = collect_bag(Batch("tabletop_block", 10_100, 2, 8, tmp_path / "bag"))
    exact, lenient = (
        build_dataset([bag], tmp_path / name, 1, Reading(strict=name == "strict")) for name in ("strict", "lenient")
    )
    assert (lenient.worlds, lenient.seeds) == (exact.worlds, exact.seeds) == (["tabletop_block"], [10_100, 10_101])
    for name in ("bev", *SMALL):
        np.testing.assert_array_equal(getattr(lenient, name), getattr(exact, name), err_msg=name)


def test_faulty_steps_are_cut_out_and_reported_beside_the_dataset(tmp_path):
    bag = bag_of(tmp_path / "bag", lambda i, step: degrees(i - 2, step), steps=8)
    data = build_dataset([bag], tmp_path / "dataset", workers=1)
    assert data.episode.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert data.seeds == [0, 0]
    np.testing.assert_allclose(data.target_xy[4:, 0], [0.5, 0.52, 0.54], atol=1e-6)
    report = json.loads((tmp_path / "dataset/report.json").read_text())["bags"][0]
    assert report["lost_s"] == {"joints": pytest.approx(0.1)}
    assert "expected radians within the limits" in (tmp_path / "dataset/report.html").read_text()


def test_a_bag_that_cannot_be_used_is_left_out_unless_it_is_the_only_one(tmp_path, capsys):
    good, bad = bag_of(tmp_path / "good"), bag_of(tmp_path / "bad", other_lens, seed=1)
    assert len(build_dataset([bad, good], tmp_path / "dataset", workers=1).episode) == 4
    assert "bad (1 of 2 bags): left out" in capsys.readouterr().out
    with pytest.raises(BagError, match="use the rig it was recorded with"):
        build_dataset([bad], tmp_path / "nothing", workers=1)
    assert not (tmp_path / "nothing").exists()


def test_a_bag_of_a_robot_that_is_not_here_is_left_out_too(tmp_path, capsys):
    good, other = bag_of(tmp_path / "good"), bag_of_robot(tmp_path / "other", "/nowhere/profile.yaml")
    assert len(build_dataset([other, good], tmp_path / "dataset", workers=1).episode) == 4
    assert "left out: " in (said := capsys.readouterr().out) and "/nowhere/profile.yaml does not exist" in said
    with pytest.raises(BagError, match="/nowhere/profile.yaml does not exist"):
        build_dataset([other], tmp_path / "nothing", workers=1)


def test_a_damaged_bag_gives_what_is_around_the_damage_where_asked_for(tmp_path):
    split = tmp_path / "split"  # without metadata.yaml, and the clock begins anew in the second file
    split.mkdir()
    for number in (0, 1):
        next(bag_of(tmp_path / f"bag{number}", seed=number).glob("*.mcap")).rename(split / f"split_{number}.mcap")
    whole = build_dataset([split], tmp_path / "dataset", workers=1)
    assert (whole.episode.tolist(), whole.seeds) == ([0] * 4 + [1] * 4, [0, 1])
    content = bytearray((split / "split_1.mcap").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (split / "split_1.mcap").write_bytes(content)
    with pytest.raises(BagError, match=rf"^{split}/split_1.mcap: damaged at bytes \d+ to \d+: .*--damaged skip"):
        build_dataset([split], tmp_path / "dataset", workers=1)
    rest = build_dataset([split], tmp_path / "dataset", 1, Reading(damaged="skip"))
    np.testing.assert_array_equal(rest.bev, whole.bev[:4])


def test_a_profile_maps_topics_and_says_what_stands_for_the_commands(tmp_path):
    bag = bag_of(tmp_path / "bag", steps=5)
    cameras = {
        name: {
            "color": f"/{name}/color/image_raw",
            "depth": f"/{name}/aligned_depth_to_color/image_raw",
            "info": f"/{name}/color/camera_info",
        }
        for name in ("camera_left", "camera_right")
    }
    profile = {"schema": 1, "rig": "two_cameras", "cameras": cameras, "joints": {"topic": "/joint_states"}}
    (tmp_path / "profile.yaml").write_text(yaml.safe_dump(profile | {"motion": {"source": "measured"}}))
    data = build_dataset([bag], tmp_path / "dataset", 1, Reading(tmp_path / "profile.yaml"))
    assert np.isnan(data.objects).all()  # no labels: finetune makes them
    np.testing.assert_allclose(data.target_xy, data.tool_xy, atol=1e-6)
    np.testing.assert_allclose(data.action[:-1], np.tile([[2 / 3, 0]], (4, 1)), atol=1e-3)
    np.testing.assert_array_equal(data.bev, build_dataset([bag], tmp_path / "plain", workers=1).bev)


# -- joining -------------------------------------------------------------------------------------------------------


def test_old_bags_and_new_ones_mix(tmp_path):
    old = build_dataset([bag_of(tmp_path / "old", seed=1)], tmp_path / "dataset", workers=1)
    new = bag_of(tmp_path / "new", seed=2)
    for _ in range(2):  # the second time, what was built from the bag is used again
        joined = load_data([tmp_path / "dataset", new], tmp_path / "run", workers=1)
        assert joined.seeds == [1, 2]
        assert len(joined.bev) == len(old.bev) + 4
        built = (tmp_path / "run/dataset/bev.npy").stat().st_ino
    load_data([tmp_path / "dataset", new], tmp_path / "run", workers=1)
    assert (tmp_path / "run/dataset/bev.npy").stat().st_ino == built


def test_what_a_robot_explored_is_of_no_simulated_world(tmp_path):
    data = build_dataset([bag_of(tmp_path / "bag", world="")], tmp_path / "dataset", workers=1)
    assert data.worlds == ["recorded"]


def test_data_of_one_camera_joins_data_of_two(tmp_path):
    both = build_dataset([bag_of(tmp_path / "bag", seed=1)], tmp_path / "dataset", workers=1)
    left = replace(both, bev=both.bev[:, :1], objects=both.objects + 1)
    joined = Dataset.join([both, left])
    assert joined.bev.shape == (8, 2, 5, 64, 80)
    np.testing.assert_array_equal(joined.bev[:4], both.bev)
    np.testing.assert_array_equal(joined.bev[4:, 0], both.bev[:, 0])
    assert not joined.bev[4:, 1].any()  # the other camera saw nothing
    np.testing.assert_array_equal(Dataset.join([left, both]).subset(np.array([1])).bev, both.bev)


def test_a_bag_named_twice_is_refused(tmp_path):
    bag = bag_of(tmp_path / "bags" / "bag")
    for places in ([bag, bag], [bag.parent, bag], [bag, bag.parent / ".." / "bags" / "bag"]):
        with pytest.raises(SettingError, match="different bags, got .*bags/bag twice"):
            load_data(places, tmp_path / "run")


def test_video_in_the_place_of_data_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(BagError, match="expected the topic /wm/.*use the bag as video"):
        load_data([bag_of(tmp_path / "film", video=True)], tmp_path / "run", workers=1)


def test_no_data_is_refused(tmp_path):
    with pytest.raises(SettingError, match="found none in"):
        load_data([tmp_path], tmp_path / "run")
    for other in (np.zeros((2, 3, 5)), np.zeros((2, 3, 4), int), np.zeros((2, 3))):
        with pytest.raises(ValueError, match="one kind of row"):
            JoinedRows([np.zeros((2, 3, 4)), other])


# -- kills ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_build_leaves_the_old_dataset_or_the_new_one(tmp_path):
    bags = [bag_of(tmp_path / f"bag{i}", seed=i, steps=10) for i in range(3)]
    out = tmp_path / "dataset"
    old = build_dataset(bags[:1], out, workers=1).fingerprint()
    command = [sys.executable, "-m", "wm_bringup.cli", "dataset", *map(str, bags), "--out", str(out)]
    command += ["--replace", "--workers", "1"]
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    took, new = time.monotonic() - began, Dataset.load(out).fingerprint()
    build_dataset(bags[:1], out, workers=1)
    rng, found = np.random.default_rng(0), set()
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0) * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found.add(Dataset.load(out).fingerprint())
        assert found <= {old, new}
    build_dataset(bags, out, workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bag0", "bag1", "bag2", "dataset"]
    assert [len(list(strict_steps(bag, Profile.default(), KINEMATICS))) for bag in bags] == [10, 10, 10]
    assert not os.listdir(tmp_path / "dataset").count(".lock")


@pytest.mark.parametrize(
    ("there", "option", "said"),
    [
        ("thesis.tex", [], "holds something else than a dataset"),
        ("thesis.tex", ["--replace"], "holds something else than a dataset"),
        ("dataset.json", [], "is there; --replace puts the new dataset in its place"),
    ],
)
def test_the_verb_overwrites_nothing_that_was_not_meant(tmp_path, capsys, there, option, said):
    bag, out = bag_of(tmp_path / "bag", seed=1), tmp_path / "dataset"
    out.mkdir()
    (out / there).write_text("years of work")
    assert main(["dataset", str(bag), "--out", str(out), *option]) == 1
    assert said in capsys.readouterr().err and (out / there).read_text() == "years of work"
