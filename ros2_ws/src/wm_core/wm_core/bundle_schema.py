"""What a bundle.yaml must say, as a JSON schema."""

from typing import Any

from wm_core.graph_specs import REQUIRED
from wm_core.specs_schema import ACTION_SCHEMA, OBSERVATION_SCHEMA, STATE_SCHEMA

SCHEMA_VERSION = 2

_POSITIVE_INT = {"type": "integer", "minimum": 1}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_NUMBERS = {"type": "array", "items": {"type": "number"}}
_CALIBRATION = {
    "type": "object",
    "required": ["levels", "steps", "moved", "floor", "still", "moving"],
    "properties": {
        "levels": {**_NUMBERS, "minItems": 1},
        "steps": {"type": "array", "items": _POSITIVE_INT, "minItems": 1},
        "moved": _POSITIVE,
        "floor": _POSITIVE,
        "still": {"type": "array", "items": _NUMBERS},
        "moving": {"type": "array", "items": _NUMBERS},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [
        "schema",
        "id",
        "family",
        "step_duration",
        "state",
        "action",
        "observation",
        "horizon",
        "ensemble",
        "initial",
        "surprise_threshold",
        "files",
    ],
    "properties": {
        "schema": {"const": SCHEMA_VERSION},
        "id": {"type": "string", "minLength": 1},
        "family": {"type": "string", "minLength": 1},
        "step_duration": _POSITIVE,
        "state": STATE_SCHEMA,
        "action": ACTION_SCHEMA,
        "observation": OBSERVATION_SCHEMA,
        "horizon": _POSITIVE_INT,
        "ensemble": _POSITIVE_INT,
        "surprise_threshold": _POSITIVE,
        "initial": {
            "type": "object",
            "required": ["mean", "variance"],
            "properties": {"mean": _NUMBERS, "variance": _NUMBERS},
        },
        "calibration": _CALIBRATION,
        "macro": {
            "type": "object",
            "required": ["steps", "jumps"],
            "properties": {"steps": _POSITIVE_INT, "jumps": _POSITIVE_INT, "calibration": _CALIBRATION},
        },
        "novelty": {
            "type": "object",
            "required": ["appearance", "change", "usual", "limit"],
            "additionalProperties": {"type": "object"},
        },
        "files": {
            "type": "object",
            "required": [f"{graph}.onnx" for graph in REQUIRED],
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "propertyNames": {"pattern": r"^[A-Za-z0-9_.-]+$"},
        },
    },
}
