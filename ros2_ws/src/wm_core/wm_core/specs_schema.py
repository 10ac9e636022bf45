"""JSON schemas of specifications, for the blocks `action`, `state` and `observation` of bundles and tasks."""

from typing import Any

AXES = ("x", "y", "z", "yaw", "pitch", "grip")  # of an action; each moves the field of a ToolState in the same place
TOOL_FIELDS = ("x", "y", "z", "yaw", "pitch", "opening")

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
