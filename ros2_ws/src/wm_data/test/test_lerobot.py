"""Bags become LeRobot datasets and come back as the datasets that the bags give; what does not fit is refused by name."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wm_bags.steps.frames import Frame, Step
from wm_core.command_line import main
from wm_core.kinematics import Kinematics
from wm_core.paths import rigs_dir
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT, load_robot
from wm_data.dataset import SMALL
from wm_data.dataset_build import Reading, build_dataset
from wm_data.dataset_files import read_facts
from wm_data.episode_bag import EpisodeWriter
from wm_data.lerobot.export import export
from wm_data.lerobot.importing import import_dataset
from wm_data.lerobot.layout import DATA, INFO, OWN, STATS, VIDEO, LeRobotError, Place

DATA_FILE = Place().path(DATA)


def bag_of(path: Path, steps: int = 4, seed: int = 0, name: str = DEFAULT_ROBOT) -> Path:
    """A bag of one episode whose images are smooth, so that videos lose little of them."""
    robot = load_robot(name)
    rig, kinematics = CameraRig.load(rigs_dir() / "two_cameras.yaml"), Kinematics(robot)
    writer = EpisodeWriter(path, tuple(camera.name for camera in rig.cameras))
    writer.begin(0, "tabletop_block", seed)
    for i in range(steps):
        x, y = 0.4 + 0.02 * i, 0.01 * seed
        q = kinematics.ik(np.array([x, y, robot.tool.height]), robot.tool.rotation, robot.home.joints)
        frames = {}
        for camera in rig.cameras:
            v, u = np.mgrid[0 : camera.height, 0 : camera.width]
            rgb = np.stack([u + 10 * i, v + 40, (u + v) // 2], -1).clip(0, 255).astype(np.uint8)
            frames[camera.name] = Frame(rgb, (900 + (u + i) % 7).astype(np.float32) / 1000, camera.K)
        pose = np.array([0.5, 0.1, 0.02, 0, 0, np.sin(0.3), np.cos(0.3)])
        start, end = np.array([[x, y], [x + 0.02, y]])
        writer.step(Step(i * 10**8, frames, tuple(kinematics.joint_names), q, start, end, pose))
    return writer.close()


@pytest.fixture(scope="module")
def bags(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bags")
    return [bag_of(folder / f"bag{i}", 3 + i, seed=i) for i in range(2)]


@pytest.fixture(scope="module")
def exported(bags, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lerobot") / "data"
    export(bags, folder)
    return folder


@pytest.fixture
def copy(exported, tmp_path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


# -- there and back ------------------------------------------------------------------------------------------------


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


def test_full_files_are_followed_by_others(bags, tmp_path, monkeypatch):
    monkeypatch.setattr("wm_data.lerobot.rows.DATA_MB", 0)
    monkeypatch.setattr("wm_data.lerobot.video.VIDEO_MB", -1)  # the encoder holds some frames back
    export(bags, tmp_path / "lerobot")
    assert (tmp_path / "lerobot/data/chunk-000/file-001.parquet").is_file()
    assert len(list((tmp_path / "lerobot/videos").glob("*/chunk-000/file-001.mp4"))) == 2  # cameras
    assert import_dataset(tmp_path / "lerobot", tmp_path / "back").seeds == [0, 1]


@pytest.fixture
def in_two_files(bags, tmp_path, monkeypatch):
    """An export whose second episode begins a new file of everything."""
    monkeypatch.setattr("wm_data.lerobot.rows.DATA_MB", 0)
    monkeypatch.setattr("wm_data.lerobot.video.VIDEO_MB", -1)
    export(bags, tmp_path / "two")
    return tmp_path / "two"


def edit_episodes(folder: Path, column: str, values: list) -> None:
    """Other values of the columns whose names end so, in the index of episodes."""
    file = folder / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(file)
    for name in [name for name in table.column_names if name.endswith(column)]:
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(values, field.type))
    pq.write_table(table, file)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("data/file_index", [0, 0]),  # the second episode's rows are in the file after
        ("data/file_index", [1, 1]),
        ("camera_left/file_index", [0, 0]),  # with the right time of the wrong file: the first episode's frames
        ("camera_left/file_index", [1, 0]),
        ("camera_right/from_timestamp", [0.0, 0.3]),  # as if both were in one file
        ("/file_index", [0, 0]),
    ],
)
def test_a_stale_index_at_a_file_boundary_is_seen_and_the_data_itself_is_read(
    in_two_files, tmp_path, capsys, column, values
):
    """It was refused with the advice to copy the dataset again, or gave the frames of another episode."""
    expected = import_dataset(in_two_files, tmp_path / "expected")
    edit_episodes(in_two_files, column, values)
    capsys.readouterr()
    back = import_dataset(in_two_files, tmp_path / "back")
    for name in (*SMALL, "bev"):
        np.testing.assert_array_equal(getattr(back, name), getattr(expected, name))
    assert "in meta/episodes is stale" in capsys.readouterr().out


def test_an_index_that_the_data_does_not_explain_is_named(in_two_files, tmp_path):
    edit_episodes(in_two_files, "length", [3, 3])
    refused(in_two_files, tmp_path / "back", "column length of meta/episodes is stale: write 4")
    edit_episodes(in_two_files, "length", [3, 4])
    edit_episodes(in_two_files, "camera_left/file_index", [0, 0])
    video = next((in_two_files / "videos").glob("*camera_left/chunk-000/file-001.mp4"))
    shutil.copy(video.with_name("file-000.mp4"), video)  # of three frames
    refused(
        in_two_files,
        tmp_path / "back",
        "videos/.*camera_left/file_index or from_timestamp is stale for the episodes .0, 1.",
    )


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


# -- the format ----------------------------------------------------------------------------------------------------


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


# -- what is refused -----------------------------------------------------------------------------------------------


def refused(folder: Path, out: Path, message: str) -> None:
    with pytest.raises(LeRobotError, match=message):
        import_dataset(folder, out)
    assert not out.exists()


def edit(file: Path, change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda info: info.update(codebase_version="v2.1"), "expected codebase_version v3.0, got v2.1"),
        (lambda info: info.update(fps=30), "10 frames a second: it has 30"),
        (lambda info: info.pop("features"), "'features' is a required property"),
        (lambda info: info.update(total_episodes=5), "expected the 5 episodes"),
        (
            lambda info: info["features"].update({k: {**f, "info": {}} for k, f in info["features"].items()}),
            "needs what this one lacks: depth",
        ),
        (
            lambda info: info["features"]["wm.joints"].update(names=[f"ur5_{i}" for i in range(7)]),
            "this arm's joints in observation.state",
        ),
    ],
)
def test_other_metadata_is_refused(copy, tmp_path, change, message):
    edit(copy / INFO, change)
    refused(copy, tmp_path / "back", message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: own.update(schema=1), "wm.json: expected schema 2, got 1; export its bags again"),
        (lambda own: own["action"].update(axes={}), "wm.json: action.axes: "),
        (
            lambda own: own["action"]["axes"]["x"].update(scale=0.02),
            "expected actions of the task 'push': .*action.axes",
        ),
    ],
)
def test_actions_that_are_not_the_task_s_are_refused(copy, tmp_path, change, message):
    edit(copy / OWN, change)
    refused(copy, tmp_path / "back", message)


def test_missing_and_torn_files_are_refused(copy, tmp_path):
    (copy / DATA_FILE).write_bytes((copy / DATA_FILE).read_bytes()[:-100])
    refused(copy, tmp_path / "back", "file-000.parquet: expected a readable Parquet file")
    (copy / DATA_FILE).unlink()
    refused(copy, tmp_path / "back", "file-000.parquet: expected a Parquet file, there is none")
    (copy / INFO).write_text("{")
    refused(copy, tmp_path / "back", "info.json: .* it is no JSON")
    (copy / INFO).unlink()
    refused(copy, tmp_path / "back", "info.json: expected a LeRobot dataset of version v3.0")


def test_video_shorter_than_its_frames_is_refused(copy, tmp_path):
    file = next((copy / "videos").glob("*/*/*.mp4"))
    with av.open(str(file)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = frames[0].shape[:2]
        for frame in frames[:5]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    refused(copy, tmp_path / "back", "expected 4 frames of an episode, the video ends after 2")
    file.write_bytes(b"no video")
    refused(copy, tmp_path / "back", "expected a readable video")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("observation.state", np.nan, "episode 1, frame 2: observation.state: expected finite numbers"),
        ("wm.joints", np.inf, "episode 1, frame 2: wm.joints: expected finite numbers"),
        ("action", 0.1, "expected action to agree with wm.command"),
    ],
)
def test_numbers_that_are_not_finite_or_were_edited_are_refused(copy, tmp_path, column, value, message):
    table = pq.read_table(copy / DATA_FILE)
    rows = table[column].to_pylist()
    rows[5][0] = value
    place = table.column_names.index(column)
    table = table.set_column(place, table.schema.field(column), pa.array(rows, table.schema.field(column).type))
    pq.write_table(table, copy / DATA_FILE)
    refused(copy, tmp_path / "back", message)


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
