"""JSON schemas of specifications, for the blocks `action`, `state` and `observation` of bundles and tasks."""

from typing import Any

from wm_core import checked_yaml

AXES = ("x", "y", "z", "yaw", "pitch", "grip")  # of an action; each moves the field of a ToolState in the same place
TOOL_FIELDS = ("x", "y", "z", "yaw", "pitch", "opening")
POSITION, ROTATION = ("x", "y", "z"), ("qx", "qy", "qz", "qw")
VELOCITY = ("vx", "vy", "vz", "wx", "wy", "wz")
OBJECT_FIELDS = (*POSITION, "yaw", *ROTATION, *VELOCITY)  # of an object: yaw for upright ones, or a full rotation
HELD_FIELDS = (*POSITION, "yaw")  # of an object: what may be known without being estimated

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_AXIS = {"enum": list(AXES)}


def _axis(unit: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["scale", "unit"],
        "additionalProperties": False,
        "properties": {"scale": _POSITIVE, "unit": {"const": unit}},
    }


ACTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["axes"],
    "additionalProperties": False,
    "properties": {
        "axes": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {axis: _axis("rad" if axis in ("yaw", "pitch") else "m") for axis in AXES},
        },
        "groups": {"type": "array", "items": {"type": "array", "minItems": 2, "uniqueItems": True, "items": _AXIS}},
        "held": {
            "type": "object",
            "additionalProperties": False,
            "properties": {axis: {"type": "number"} for axis in AXES},
        },
    },
}

_COUNT = {"type": "integer", "minimum": 0}
_SIZE = {"type": "integer", "minimum": 1}
STATE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["objects", "fields", "tool", "own"],
    "additionalProperties": False,
    "properties": {
        "objects": _SIZE,
        "fields": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(OBJECT_FIELDS)}},
        "tool": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(TOOL_FIELDS)}},
        "own": _COUNT,
        "held": {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "number"} for name in HELD_FIELDS},
        },
    },
}
MAP_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["x_min", "y_min", "cell", "rows", "columns", "z_max"],
    "additionalProperties": False,
    "properties": {
        "x_min": {"type": "number"},
        "y_min": {"type": "number"},
        "cell": _POSITIVE,
        "rows": _SIZE,
        "columns": _SIZE,
        "z_max": _POSITIVE,
    },
}
_IMAGE = {
    "type": "object",
    "required": ["height", "width", "channels"],
    "additionalProperties": False,
    "properties": {"height": _SIZE, "width": _SIZE, "channels": _SIZE},
}
OBSERVATION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["features"],
    "additionalProperties": False,
    "properties": {
        "map": MAP_SCHEMA,
        "images": {"type": "object", "additionalProperties": _IMAGE},
        "vectors": {"type": "object", "additionalProperties": _SIZE},
        "features": _COUNT,
    },
    "anyOf": [{"required": ["map"]}, {"required": ["images"]}, {"required": ["vectors"]}],
}


class SpecError(ValueError):
    """A specification that cannot be used, or does not fit: says what was expected, what came and what to do."""


def faults(schema: dict[str, Any], data: Any, name: str) -> list[str]:
    """What of `data`, the block `name` of a file, does not follow a schema, with where it is."""
    return [
        f"{'.'.join(filter(None, [name, field]))}: {message}" for field, message in checked_yaml.faults(schema, data)
    ]


def check(schema: dict[str, Any], data: Any, name: str) -> None:
    """Raises SpecError with the first fault of a block."""
    for fault in faults(schema, data, name):
        raise SpecError(fault)
