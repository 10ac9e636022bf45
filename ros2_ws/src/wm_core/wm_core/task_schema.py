"""What a task file must say, as a JSON schema. The block `action` has a schema of its own (specs_schema)."""

from typing import Any

SCHEMA_VERSION = 1
GOAL_KINDS = ("object_pose",)
GOAL_AXES = ("x", "y", "z", "yaw")

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}
_REGION: dict[str, Any] = {
    "type": "object",
    "required": ["x", "y"],
    "additionalProperties": False,
    "properties": {
        axis: {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2} for axis in ("x", "y", "z")
    },
}
_EXPLORING = ("places", "objects", "middle", "strayed", "lost")
_PART = {"type": "object", "required": ["name"], "properties": {"name": _NAME}}  # the part itself checks its options

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [
        "schema",
        "description",
        "rate",
        "action",
        "goal",
        "regions",
        "costs",
        "success",
        "time_limit",
    ],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": SCHEMA_VERSION},
        "description": {"type": "string", "minLength": 1},
        "rate": _POSITIVE,
        "action": {"type": "object"},
        "goal": {
            "type": "object",
            "required": ["kind", "axes"],
            "additionalProperties": False,
            "properties": {
                "kind": {"enum": list(GOAL_KINDS)},
                "axes": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(GOAL_AXES)}},
            },
        },
        "regions": {
            "type": "object",
            "required": ["goals", "practice", "objects"],
            "additionalProperties": False,
            "properties": {
                "goals": _REGION,
                "practice": _REGION,
                "objects": _REGION,
                "exploring": {
                    "type": "object",
                    "required": list(_EXPLORING),
                    "additionalProperties": False,
                    "properties": dict.fromkeys(_EXPLORING, _REGION),
                },
            },
        },
        "costs": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _NAME,
            "additionalProperties": {
                "type": "object",
                "required": ["weight"],
                "properties": {"weight": {"type": "number", "minimum": 0, "maximum": 1e4}},
            },
        },
        "success": {
            "type": "object",
            "required": ["tolerance", "cycles", "distance"],
            "additionalProperties": False,
            "properties": {
                "tolerance": _POSITIVE,
                "cycles": {"type": "integer", "minimum": 1},
                "distance": _POSITIVE,
            },
        },
        "time_limit": _POSITIVE,
        "explorer": _PART,
        "expert": _PART,
        "modules": {
            "type": "array",
            "uniqueItems": True,
            "items": {"type": "string", "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"},
        },
    },
}
