"""What a file of a kind of objects must say, `sim_worlds/objects/NAME.yaml`, as a JSON schema."""

from typing import Any

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_RANGE = {"type": "array", "items": _POSITIVE, "minItems": 2, "maxItems": 2}
_VECTOR = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_SIZE = {**_VECTOR, "items": _POSITIVE}
_POSE = {"position": _VECTOR, "rpy_deg": _VECTOR}
_FILE = {
    "file": {"type": "string", "minLength": 1},
    "numbers": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2},
    "scale": _POSITIVE,
}


def _part(shape: str, required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {"shape": {"const": shape}, **required, **(optional or {}), **_POSE}
    return {"required": ["shape", *required], "additionalProperties": False, "properties": properties}


PARTS = (
    _part("box", {"size": _SIZE}),
    _part("cylinder", {"radius": _POSITIVE, "height": _POSITIVE}),
    _part("hull", {"size": _SIZE, "points": {"type": "integer", "minimum": 6, "maximum": 60}}),
    _part("corners", {"corners": {"type": "array", "items": _VECTOR, "minItems": 4}}),
    _part("mesh", {"file": _FILE["file"]}, {"numbers": _FILE["numbers"], "scale": _POSITIVE}),
    _part("urdf", {"file": _FILE["file"]}, {"numbers": _FILE["numbers"], "scale": _POSITIVE}),
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["parts", "density", "friction"],
    "additionalProperties": False,
    "properties": {
        "parts": {"type": "array", "minItems": 1, "items": {"type": "object", "oneOf": list(PARTS)}},
        "scale": {
            "type": "object",
            "additionalProperties": False,
            "properties": {axis: _RANGE for axis in ("all", "xy", "x", "y", "z")},
        },
        "density": _RANGE,
        "friction": _RANGE,
        "colour": {
            "type": "array",
            "items": {"type": "number", "minimum": 0, "maximum": 1},
            "minItems": 3,
            "maxItems": 3,
        },
        "own_upright": {"type": "boolean"},
    },
}
