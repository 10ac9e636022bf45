"""Bags become LeRobot datasets as LeRobot reads them, and come back as the datasets that the bags give."""

import json

import lerobot_data
import numpy as np
import pyarrow.parquet as pq
import pytest

from wm_core.command_line import main
from wm_data.collect import Batch, collect_bag
from wm_data.dataset import SMALL, Dataset
from wm_data.dataset_build import Reading, build_dataset
from wm_data.dataset_files import read_facts
from wm_data.lerobot.export import export
from wm_data.lerobot.importing import import_dataset
from wm_data.lerobot.layout import DATA, INFO, OWN, STATS, VIDEO, LeRobotError, Place

bag_of, bags, exported, copy = lerobot_data.bag_of, lerobot_data.bags, lerobot_data.exported, lerobot_data.copy

DATA_FILE = Place().path(DATA)


def test_what_is_exported_comes_back(bags, exported, tmp_path):
    built = build_dataset(bags, tmp_path / "built", 1)
    back = import_dataset(exported, tmp_path / "back")
    for name in SMALL:
        np.testing.assert_array_equal(getattr(back, name), getattr(built, name))
    assert (back.worlds, back.seeds, back.spec) == (built.worlds, built.seeds, built.spec)
    assert read_facts(tmp_path / "back")["bags"] == read_facts(tmp_path / "built")["bags"]
    bev, original = np.asarray(back.bev, int), np.asarray(built.bev, int)
    np.testing.assert_array_equal(bev[:, :, [0, 4]], original[:, :, [0, 4]])  # height and coverage are of depth
    assert np.abs(bev - original).max() <= 12  # of 255, in colour: the video's loss


def test_so_does_that_of_another_robot(tmp_path):
    cameras = "".join(
        f"  {name}: {{color: /{name}/color/image_raw, depth: /{name}/aligned_depth_to_color/image_raw,"
        f" info: /{name}/color/camera_info}}\n"
        for name in ("camera_left", "camera_right")
    )
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        f"schema: 1\nrobot: ur5e\nrig: two_cameras\ncameras:\n{cameras}joints: {{topic: /joint_states}}\n"
        "motion: {source: executed, topic: /wm/executed}\nobject: /ground_truth/object_pose\nepisodes: /wm/episode\n"
    )
    bag = bag_of(tmp_path / "bag", name="ur5e")
    export([bag], tmp_path / "exported", Reading(profile))
    built = build_dataset([bag], tmp_path / "built", 1, Reading(profile))
    back = import_dataset(tmp_path / "exported", tmp_path / "back")
    for name in SMALL:
        np.testing.assert_array_equal(getattr(back, name), getattr(built, name))


def test_a_faster_task_has_more_frames_a_second(tmp_path):
    bag = collect_bag(Batch("tabletop_block", 10_100, 1, 6, tmp_path / "bag", task="push_20hz"))
    words = ["--steps-of", "push_20hz"]
    assert main(["lerobot", "export", str(bag), str(tmp_path / "exported"), *words]) == 0
    assert json.loads((tmp_path / "exported" / INFO).read_text())["fps"] == 20
    assert main(["lerobot", "import", str(tmp_path / "exported"), str(tmp_path / "back"), *words]) == 0
    assert main(["dataset", str(bag), "--task", "push_20hz", "--out", str(tmp_path / "built")]) == 0
    back, built = (Dataset.load(tmp_path / name) for name in ("back", "built"))
    assert back.step_duration == built.step_duration == 0.05
    for name in SMALL:
        np.testing.assert_array_equal(getattr(back, name), getattr(built, name))
    with pytest.raises(LeRobotError, match="10 frames a second: it has 20"):
        import_dataset(tmp_path / "exported", tmp_path / "slow")


def test_a_dataset_is_no_source_of_images(bags, tmp_path, capsys):
    build_dataset(bags, tmp_path / "built", 1)
    assert main(["lerobot", "export", str(tmp_path / "built"), str(tmp_path / "out")]) == 1
    assert "export its bags: ['bag0', 'bag1']" in capsys.readouterr().err


def test_video_comes_back_as_video(bags, tmp_path):
    export(bags, tmp_path / "lerobot", Reading(video=True))
    info = json.loads((tmp_path / "lerobot" / INFO).read_text())
    assert not {"action", "observation.object"} & set(info["features"])
    assert import_dataset(tmp_path / "lerobot", tmp_path / "back").video


def test_another_s_dataset_is_video_with_a_rig(copy, tmp_path):
    rig = (copy / OWN).with_name("rig.yaml").rename(tmp_path / "rig.yaml")
    (copy / OWN).unlink()
    with pytest.raises(LeRobotError, match="--rig"):
        import_dataset(copy, tmp_path / "back")
    back = import_dataset(copy, tmp_path / "back", rig)
    assert back.video
    assert back.bev[:, :, 4].any()


def test_metadata_is_what_lerobot_reads(exported):
    info = json.loads((exported / INFO).read_text())
    assert (info["codebase_version"], info["fps"], info["total_episodes"], info["total_frames"]) == ("v3.0", 10, 2, 7)
    rows = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(row["dataset_from_index"], row["dataset_to_index"], row["length"]) for row in rows] == [
        (0, 3, 3),
        (3, 7, 4),
    ]
    key = f"videos/{next(name for name, feature in info['features'].items() if feature['dtype'] == 'video')}"
    assert [(row[f"{key}/from_timestamp"], row[f"{key}/to_timestamp"]) for row in rows] == [(0, 0.3), (0.3, 0.7)]
    tasks = pq.read_table(exported / "meta/tasks.parquet")
    assert tasks.to_pylist() == [{"task_index": 0, "task": "push what lies on the table (tabletop_block)"}]
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    data = pq.read_table(exported / DATA_FILE)
    stored = [name for name, feature in info["features"].items() if feature["dtype"] != "video"]
    assert data.column_names == stored
    assert data["index"].to_pylist() == list(range(7))
    np.testing.assert_allclose(data["timestamp"].to_numpy(), [0, 0.1, 0.2, 0, 0.1, 0.2, 0.3], atol=1e-6)
    assert pq.ParquetFile(exported / DATA_FILE).num_row_groups == 2  # one for each episode


def test_statistics_are_of_what_is_stored(exported):
    stats = json.loads((exported / STATS).read_text())
    data = pq.read_table(exported / DATA_FILE)
    action = np.array(data["action"].to_pylist())
    np.testing.assert_allclose(stats["action"]["mean"], action.mean(0), atol=1e-6)
    np.testing.assert_allclose(stats["action"]["std"], action.std(0), atol=1e-6)
    images = [key for key in stats if key.startswith("observation.images.")]
    assert {np.shape(stats[key]["mean"]) for key in images} == {(3, 1, 1), (1, 1, 1)}
    assert all(0 <= stats[key]["q50"][0][0][0] <= 1 for key in images if not key.endswith("_depth"))
    assert all(890 < stats[key]["mean"][0][0][0] < 910 for key in images if key.endswith("_depth"))  # [mm]


def test_nothing_is_left_of_an_export_that_fails(tmp_path, capsys):
    assert main(["lerobot", "export", str(tmp_path / "no_bag"), str(tmp_path / "out")]) == 1
    assert "no_bag" in capsys.readouterr().err
    bag_of(tmp_path / "bag")
    assert main(["lerobot", "export", str(tmp_path / "bag"), str(tmp_path / "out"), "--task", "push"]) == 0
    assert main(["lerobot", "import", str(tmp_path / "out"), str(tmp_path / "back")]) == 0
    assert not list(tmp_path.glob(".*.part"))


def test_videos_are_named_as_their_features(exported):
    info = json.loads((exported / INFO).read_text())
    for key, feature in info["features"].items():
        if feature["dtype"] == "video":
            assert (exported / Place().path(VIDEO, key)).is_file()
            assert feature["info"]["video.fps"] == 10
