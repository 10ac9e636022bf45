"""What a bundle.yaml must say, as a JSON schema."""

from typing import Any

SCHEMA_VERSION = 1
GRAPHS = ("encode", "filter", "rollout", "decode")
OPTIONAL_GRAPHS = ("policy", "intend", "value", "jump")  # what else a bundle may bring; see docs/architecture.md

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
        "action_scale",
        "horizon",
        "ensemble",
        "sizes",
        "bev",
        "initial",
        "surprise_threshold",
        "files",
    ],
    "properties": {
        "schema": {"const": SCHEMA_VERSION},
        "id": {"type": "string", "minLength": 1},
        "family": {"type": "string", "minLength": 1},
        "step_duration": _POSITIVE,
        "action_scale": _POSITIVE,
        "horizon": _POSITIVE_INT,
        "ensemble": _POSITIVE_INT,
        "surprise_threshold": _POSITIVE,
        "sizes": {
            "type": "object",
            "required": ["latent", "embedding", "action", "proprio"],
            "additionalProperties": _POSITIVE_INT,
        },
        "bev": {
            "type": "object",
            "required": ["x_min", "y_min", "cell", "rows", "columns", "z_max"],
            "properties": {"cell": _POSITIVE, "rows": _POSITIVE_INT, "columns": _POSITIVE_INT, "z_max": _POSITIVE},
        },
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
            "required": [f"{graph}.onnx" for graph in GRAPHS],
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "propertyNames": {"pattern": r"^[A-Za-z0-9_.-]+$"},
        },
    },
}
