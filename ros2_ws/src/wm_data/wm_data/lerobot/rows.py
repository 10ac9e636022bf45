"""Steps -> rows of a LeRobot dataset's Parquet files, episode by episode."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wm_bags.steps.frames import Step, arm_joints
from wm_core.kinematics import Kinematics
from wm_core.specs import ActionSpec
from wm_core.specs_schema import POSITION, ROTATION
from wm_data.dataset_build import yaw
from wm_data.dataset_files import LABEL
from wm_data.episode_bag import JOINTS as JOINT_TOPIC
from wm_data.lerobot import stats
from wm_data.lerobot.layout import (
    ACTION,
    COMMAND,
    DATA,
    DATA_MB,
    JOINTS,
    OBJECT,
    POSE,
    STAMP,
    STATE,
    Place,
)

MILLIMETRES = 1000
SEEN = ("x", "y", "yaw")  # of an object, in observation.object
_INDICES = ("frame_index", "episode_index", "index", "task_index")


def number_features(
    kinematics: Kinematics, action: ActionSpec, commands: bool, labels: bool
) -> dict[str, dict[str, Any]]:
    """Features that are numbers; without `commands` (video) there is no action, without `labels` no object."""
    joints = list(kinematics.joint_names)
    features = {STATE: _numbers("float32", [*joints, "tool_x", "tool_y", "tool_z"])}
    if commands:
        features[ACTION] = _numbers("float32", [f"tool_d{axis}" for axis in action.axes])
    if labels:
        features[OBJECT] = _numbers("float32", list(SEEN))
    features[JOINTS] = _numbers("float64", joints)
    if commands:
        features[COMMAND] = _numbers("float64", [f"{end}_{axis}" for end in ("from", "to") for axis in action.axes])
    if labels:
        features[POSE] = _numbers("float64", [*POSITION, *ROTATION])
    features[STAMP] = _numbers("int64", None)
    features["timestamp"] = _numbers("float32", None)
    return features | {name: _numbers("int64", None) for name in _INDICES}


def _numbers(dtype: str, names: list[str] | None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [len(names) if names else 1], "names": names}


def numbers_of(bag: Path, step: Step, kinematics: Kinematics, action: ActionSpec) -> dict[str, np.ndarray]:
    """What a step's row holds but for images and indices: full precision in `wm.*`, what LeRobot learns from in float32."""
    q = arm_joints(bag, JOINT_TOPIC, step, kinematics)
    pose = np.full(len(POSITION) + len(ROTATION), np.nan) if step.truth is None else np.asarray(step.truth, float)
    place, turn = np.split(pose, [len(POSITION)])
    label = dict(zip(LABEL, [*place, yaw(turn)], strict=True))
    return {
        STATE: np.concatenate([q, kinematics.fk(q)[0]]),
        ACTION: action.unscaled(step.ee_end - step.ee_start),
        OBJECT: np.array([label[name] for name in SEEN]),
        JOINTS: q,
        COMMAND: np.concatenate([step.ee_start, step.ee_end]),
        POSE: pose,
        STAMP: np.array([step.stamp_ns]),
    }


def depth_png(depth: np.ndarray) -> tuple[bytes, np.ndarray, float]:
    """Depth (H, W) [m] as a 16-bit PNG in millimetres, the millimetres, and what rounding changed at most [m]."""
    millimetres = np.clip(np.rint(depth * np.float32(MILLIMETRES)), 0, 65535).astype(np.uint16)
    changed = float(np.abs(millimetres / np.float32(MILLIMETRES) - depth).max())
    good, data = cv2.imencode(".png", millimetres)
    assert good
    return data.tobytes(), millimetres, changed


class RowWriter:
    """The files under `data/`: a row group for each episode, a new file when one is full."""

    def __init__(self, folder: Path, features: dict[str, dict[str, Any]]) -> None:
        self._folder, self._features = folder, features
        self.place = Place()
        self._writer: pq.ParquetWriter | None = None
        self._schema = _schema(features)

    def write(self, columns: dict[str, list[Any]]) -> dict[str, stats.Stats]:
        """An episode's columns; returns the statistics of those that are numbers."""
        arrays, found = [], {}
        for field in self._schema:
            if self._features[field.name]["dtype"] == "image":
                arrays.append(pa.array(columns[field.name], field.type))
                continue
            values = np.stack(columns[field.name]).astype(self._features[field.name]["dtype"])
            found[field.name] = stats.of_numbers(values)
            flat = pa.array(values.reshape(-1))
            single = not pa.types.is_fixed_size_list(field.type)
            arrays.append(flat if single else pa.FixedSizeListArray.from_arrays(flat, field.type.list_size))
        file = self._folder / self.place.path(DATA)
        if self._writer is not None and file.stat().st_size > DATA_MB << 20:
            self.close()
            self.place = self.place.following()
            file = self._folder / self.place.path(DATA)
        if self._writer is None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(file, self._schema, compression="snappy")
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        return found

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _schema(features: dict[str, dict[str, Any]]) -> pa.Schema:
    """Columns as `datasets` types them, which LeRobot reads with; videos have none."""
    fields: list[pa.Field] = []
    hugging: dict[str, Any] = {}
    for name, feature in features.items():
        (dtype, shape) = feature["dtype"], feature["shape"]
        if dtype == "video":
            continue
        if dtype == "image":
            fields.append(pa.field(name, pa.struct({"bytes": pa.binary(), "path": pa.string()})))
            hugging[name] = {"_type": "Image"}
            continue
        kind = pa.from_numpy_dtype(np.dtype(dtype))
        value = {"dtype": dtype, "_type": "Value"}
        if shape == [1]:
            fields.append(pa.field(name, kind))
            hugging[name] = value
        else:
            fields.append(pa.field(name, pa.list_(kind, shape[0])))
            hugging[name] = {"feature": value, "length": shape[0], "_type": "Sequence"}
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": hugging}})})
