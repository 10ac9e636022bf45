"""A dataset's folder: arrays as .npy files and `dataset.json`, which says what they must be."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.step_spec import StepSpec
from wm_core.checked_yaml import faults
from wm_core.specs import MAP_CHANNELS, BevSpec
from wm_core.specs_schema import ACTION_SCHEMA, MAP_SCHEMA, POSITION, TOOL_FIELDS

SCHEMA_VERSION = 3
LABEL = ("x", "y", "z", "yaw")  # of an object [m, rad]
KINDS = {  # dtype and shape after the first axis; names are sizes that dataset.json says
    "bev": ("uint8", ("cameras", MAP_CHANNELS, "rows", "columns")),
    "tool": ("float32", (len(TOOL_FIELDS),)),
    "target": ("float32", (len(TOOL_FIELDS),)),
    "action": ("float32", ("axes",)),
    "objects": ("float32", ("objects", len(LABEL))),
    "episode": ("int32", ()),
    "world": ("int16", ()),
}
_COUNT = {"type": "integer", "minimum": 1}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "steps", "worlds", "seeds", "bev", "action", "objects", "arrays", "bags"],
    "properties": {
        "schema": {"const": SCHEMA_VERSION},
        "steps": _COUNT,
        "worlds": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        "bev": MAP_SCHEMA,
        "step_duration": {"type": "number", "exclusiveMinimum": 0},  # [s]; older ones do not say it
        "action": ACTION_SCHEMA,
        "objects": _COUNT,
        "arrays": {
            "type": "object",
            "required": list(KINDS),
            "additionalProperties": {
                "type": "object",
                "required": ["shape", "bytes"],
                "properties": {"shape": {"type": "array", "items": _COUNT}, "bytes": _COUNT},
            },
        },
    },
}


class DatasetError(ValueError):
    """A dataset that cannot be used: names folder, array and index, what was expected, what came, what to do."""


def seal(
    folder: Path,
    worlds: list[str],
    seeds: list[int],
    spec: BevSpec,
    steps: StepSpec,
    bags: list[dict[str, Any]],
) -> None:
    """Write `dataset.json` for the arrays lying in `folder`: their shapes, sizes and, but for the maps, checksums."""
    arrays: dict[str, dict[str, Any]] = {}
    for name in KINDS:
        file = folder / f"{name}.npy"
        arrays[name] = {"shape": list(np.load(file, mmap_mode="r").shape), "bytes": file.stat().st_size}
        if name != "bev":
            arrays[name]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    facts = {
        "schema": SCHEMA_VERSION,
        "steps": arrays["episode"]["shape"][0],
        "worlds": worlds,
        "seeds": seeds,
        "bev": asdict(spec),
        "step_duration": steps.duration,
        "action": steps.action.to_dict(),
        "objects": arrays["objects"]["shape"][1],
        "arrays": arrays,
        "bags": bags,
    }
    part = folder / ".dataset.json.part"
    part.write_text(json.dumps(facts))
    part.replace(folder / "dataset.json")


def read_facts(folder: Path) -> dict[str, Any]:
    """`dataset.json`, checked; raises DatasetError."""
    file = folder / "dataset.json"
    again = "build it again: wm dataset BAGS --out DATASET --replace"
    try:
        facts = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise DatasetError(f"{file}: expected a dataset, the file is missing; {again}") from error
    except (ValueError, OSError) as error:
        raise DatasetError(f"{file}: expected JSON, it is torn: {error}; {again}") from error
    version = facts.get("schema") if isinstance(facts, dict) else None
    if version != SCHEMA_VERSION:
        raise DatasetError(f"{file}: expected a dataset of schema {SCHEMA_VERSION}, got {version}; {again}")
    for field, message in faults(_SCHEMA, facts):
        raise DatasetError(f"{file}: {field}: {message[:200]}; {again}")
    return facts


def read_dataset(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts and arrays by name, the maps memory-mapped; raises DatasetError."""
    facts = read_facts(folder)
    arrays = {name: _read(folder / f"{name}.npy", name, facts) for name in KINDS}
    _check_values(folder, facts, arrays)
    return facts, arrays


def _read(file: Path, name: str, facts: dict[str, Any]) -> np.ndarray:
    """One array, of the size, checksum, type and shape that the facts promise."""
    promised, again = facts["arrays"][name], "copy it again or build the dataset again"
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DatasetError(
            f"{file}: expected an array of {promised['bytes']} bytes, {error.strerror}; {again}"
        ) from error
    if size != promised["bytes"]:
        raise DatasetError(f"{file}: expected {promised['bytes']} bytes, got {size}; {again}")
    if name != "bev" and hashlib.sha256(file.read_bytes()).hexdigest() != promised.get("sha256"):
        raise DatasetError(f"{file}: expected the checksum {str(promised.get('sha256'))[:12]}, got another; {again}")
    try:
        values = np.load(file, mmap_mode="r" if name == "bev" else None)
    except (ValueError, OSError, EOFError) as error:
        raise DatasetError(f"{file}: expected a numpy array, got: {error}; {again}") from error
    kind, row = KINDS[name]
    sizes = {**facts["bev"], "axes": len(facts["action"]["axes"]), "objects": facts["objects"]}
    sizes["cameras"] = (*values.shape, 0)[1]  # any number
    wanted = (facts["steps"], *(sizes[side] if isinstance(side, str) else side for side in row))
    if values.dtype != kind or values.shape != wanted or list(values.shape) != promised["shape"]:
        raise DatasetError(f"{file}: expected {kind} {wanted}, got {values.dtype} {values.shape}; {again}")
    return values


def _check_values(folder: Path, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    def refuse(name: str, wrong: np.ndarray, expected: str) -> None:
        if wrong.any():
            index = int(np.argmax(wrong))
            where = f"{folder}/{name}.npy[{index}] (episode {arrays['episode'][index]})"
            raise DatasetError(
                f"{where}: expected {expected}, got {arrays[name][index].tolist()}; build the dataset again"
            )

    episode, action, target = arrays["episode"], arrays["action"], arrays["target"]
    refuse("episode", np.diff(episode, prepend=0) < 0, "numbers that rise")
    refuse("episode", (episode < 0) | (episode >= len(facts["seeds"])), f"0..{len(facts['seeds']) - 1}, one per seed")
    refuse("world", (arrays["world"] < 0) | (arrays["world"] >= len(facts["worlds"])), f"an index of {facts['worlds']}")
    place = slice(0, len(POSITION))  # of a tool state
    refuse("tool", ~np.isfinite(arrays["tool"][:, place]).all(1), "finite positions")
    if not (np.isnan(action).all() and np.isnan(target).all()):  # else video
        refuse("action", ~np.isfinite(action).all(1), "finite actions in all steps, or NaN in all (video)")
        refuse("target", ~np.isfinite(target[:, place]).all(1), "finite positions")
    label = arrays["objects"]
    halves = np.isfinite(label).any(2) != np.isfinite(label).all(2)
    refuse("objects", halves.any(1), "a whole label or none")
    refuse("objects", np.isinf(label).any((1, 2)), "finite labels or NaN")
