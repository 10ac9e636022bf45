"""LeRobot datasets of several files: full ones are followed by others, and an index that is stale is seen."""

import shutil
from pathlib import Path

import lerobot_data
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wm_data.dataset import SMALL
from wm_data.lerobot.export import export
from wm_data.lerobot.importing import import_dataset

bags, refused = lerobot_data.bags, lerobot_data.refused


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
