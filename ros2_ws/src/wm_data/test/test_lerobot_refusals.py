"""A LeRobot dataset that does not fit, or is damaged or edited, is refused by name."""

import json
from pathlib import Path

import av
import lerobot_data
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wm_data.lerobot.layout import DATA, INFO, OWN, Place

bags, exported, copy, refused = lerobot_data.bags, lerobot_data.exported, lerobot_data.copy, lerobot_data.refused

DATA_FILE = Place().path(DATA)


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
            "expected actions of the task that --steps-of names: expected action.axes .*; export its bags again",
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
