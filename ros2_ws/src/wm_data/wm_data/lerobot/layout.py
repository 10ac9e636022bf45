"""What lies where in a LeRobot dataset v3.0, as its loader (`lerobot.datasets`) reads it.

`meta/wm.json` and `meta/rig.yaml` are wm's own: LeRobot has no place for intrinsics, poses of cameras and bags. Depth is an image
feature (16-bit PNG in the Parquet files, millimetres): LeRobot's depth videos keep 12 bits. Features `wm.*` are what was
recorded in full precision; LeRobot's policies take no notice of them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wm_bags.steps.step_spec import StepSpec
from wm_core.checked_yaml import faults
from wm_core.specs_schema import ACTION_SCHEMA

VERSION = "v3.0"
CHUNK_FILES = 1000
DATA_MB, VIDEO_MB = 100, 200
INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
EPISODES = f"meta/episodes/{_FILE}.parquet"
DATA = f"data/{_FILE}.parquet"
VIDEO = f"videos/{{video_key}}/{_FILE}.mp4"
OWN, RIG = "meta/wm.json", "meta/rig.yaml"
OWN_SCHEMA = 2
WORDS = "push what lies on the table ({world})"  # in the words of the data set, where no others are given

STATE, ACTION, OBJECT = "observation.state", "action", "observation.object"
JOINTS, COMMAND, POSE, STAMP = "wm.joints", "wm.command", "wm.object_pose", "wm.stamp_ns"

_COUNT = {"type": "integer", "minimum": 1}
_INFO: dict[str, Any] = {
    "type": "object",
    "required": ["fps", "features", "total_episodes", "total_frames", "data_path"],
    "properties": {
        "fps": {"type": "number", "exclusiveMinimum": 0},
        "total_episodes": _COUNT,
        "total_frames": _COUNT,
        "data_path": {"type": "string"},
        "video_path": {"type": ["string", "null"]},
        "features": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["dtype", "shape"],
                "properties": {"dtype": {"type": "string"}, "shape": {"type": "array", "items": _COUNT}},
            },
        },
    },
}
_OWN: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "bags", "episodes", "intrinsics", "action"],
    "properties": {
        "schema": {"const": OWN_SCHEMA},
        "action": ACTION_SCHEMA,
        "intrinsics": {"enum": ["rig", "camera_info"]},
        "bags": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "episodes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["bag", "world", "seed", "K"],
                "properties": {
                    "bag": {"type": "integer", "minimum": 0},
                    "world": {"type": "string"},
                    "seed": {"type": "integer"},
                    "K": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "array",
                            "items": {"type": "number"},
                            "minItems": 9,
                            "maxItems": 9,
                        },
                    },
                },
            },
        },
    },
}


class LeRobotError(ValueError):
    """A LeRobot dataset that cannot be written or read: file, what was expected, what came, what to do."""


@dataclass(frozen=True)
class Place:
    """A file among those of its kind."""

    chunk: int = 0
    file: int = 0

    def following(self) -> "Place":
        return Place(self.chunk + 1) if self.file == CHUNK_FILES - 1 else Place(self.chunk, self.file + 1)

    def path(self, template: str, video_key: str = "") -> str:
        return template.format(chunk_index=self.chunk, file_index=self.file, video_key=video_key)


def image_key(camera: str) -> str:
    return f"observation.images.{camera}"


def depth_key(camera: str) -> str:
    return f"observation.images.{camera}_depth"


def fps_of(steps: StepSpec) -> int:
    """Frames a second, a whole number in LeRobot; raises LeRobotError."""
    fps = round(1 / steps.duration)
    if steps.mismatch(StepSpec(1 / fps, steps.action)):
        raise LeRobotError(f"expected a whole number of steps a second, got steps of {steps.duration:g} s")
    return fps


def read_info(folder: Path) -> dict[str, Any]:
    """`meta/info.json`, checked; raises LeRobotError."""
    info = _json(folder / INFO, "expected a LeRobot dataset of version v3.0")
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if version != VERSION:
        raise LeRobotError(
            f"{folder / INFO}: expected codebase_version {VERSION}, got {version}; convert it with LeRobot's"
            " convert_dataset_v21_to_v30"
        )
    _check(folder / INFO, info, _INFO)
    return info


def read_own(folder: Path) -> dict[str, Any]:
    """`meta/wm.json`, checked; raises LeRobotError."""
    own = _json(folder / OWN, "expected intrinsics, rig and bags as 'wm lerobot export' writes them")
    version = own.get("schema") if isinstance(own, dict) else None
    if version != OWN_SCHEMA:
        raise LeRobotError(
            f"{folder / OWN}: expected schema {OWN_SCHEMA}, got {version}; export its bags again: wm lerobot export BAGS OUT"
        )
    _check(folder / OWN, own, _OWN)
    return own


def read_table(file: Path, columns: list[str] | None = None, episode: int | None = None) -> pa.Table:
    """A Parquet file, or an episode's rows of it; raises LeRobotError."""
    try:
        filters = None if episode is None else [("episode_index", "=", episode)]
        table = pq.read_table(file, columns=columns, filters=filters, partitioning=None)
    except FileNotFoundError as error:
        raise LeRobotError(f"{file}: expected a Parquet file, there is none; copy the dataset again") from error
    except (pa.ArrowException, OSError) as error:
        raise LeRobotError(f"{file}: expected a readable Parquet file, got: {error}; copy it again") from error
    if missing := sorted(set(columns or []) - set(table.column_names)):
        raise LeRobotError(f"{file}: expected the columns {columns}, {missing} are missing")
    return table


def read_episodes(folder: Path, info: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of `meta/episodes` in order, without statistics; raises LeRobotError."""
    files = sorted((folder / "meta/episodes").glob("*/*.parquet"))
    rows: list[dict[str, Any]] = []
    for file in files:
        table = read_table(file)
        rows += table.select([name for name in table.column_names if not name.startswith("stats/")]).to_pylist()
    needed = {"episode_index", "length", "data/chunk_index", "data/file_index"}
    if [row.get("episode_index") for row in rows] != list(range(info["total_episodes"])):
        raise LeRobotError(
            f"{folder / 'meta/episodes'}: expected the {info['total_episodes']} episodes that {INFO} tells of, in order, got"
            f" {len(rows)} in {len(files)} files; copy the dataset again"
        )
    if missing := sorted(needed - set(rows[0])):
        raise LeRobotError(f"{files[0]}: expected the columns {sorted(needed)}, {missing} are missing")
    return rows


def _json(file: Path, expected: str) -> Any:
    try:
        return json.loads(file.read_text())
    except OSError as error:
        raise LeRobotError(f"{file}: {expected}, cannot read it: {error.strerror}") from error
    except ValueError as error:
        raise LeRobotError(f"{file}: {expected}, it is no JSON: {error}; copy it again") from error


def _check(file: Path, content: Any, schema: dict[str, Any]) -> None:
    for field, message in faults(schema, content):
        raise LeRobotError(f"{file}: {field or 'file'}: {message[:200]}")
