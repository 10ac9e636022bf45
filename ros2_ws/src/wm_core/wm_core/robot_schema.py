"""JSON schema of a robot profile, `robots/NAME/profile.yaml`. wm_description's README explains each field."""

from typing import Any

_NUMBER = {"type": "number"}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_NAME = {"type": "string", "minLength": 1}
_NAMES = {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}
_TOPIC = {"type": "string", "pattern": "^/?[A-Za-z_~{][A-Za-z0-9_/~{}]*$"}


def _list(items: dict[str, Any], count: int | None = None) -> dict[str, Any]:
    bounds = {"minItems": 1} if count is None else {"minItems": count, "maxItems": count}
    return {"type": "array", "items": items, **bounds}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "additionalProperties": False, "properties": properties}


_RANGE = _list(_NUMBER, 2)
_VECTOR = _list(_NUMBER, 3)
_POSE = {"position": _VECTOR, "rpy_deg": _VECTOR}
_BOX = _object({"position": _VECTOR, "size": _list(_POSITIVE, 3)})

SCHEMA: dict[str, Any] = _object(
    {
        "name": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]*$"},
        "urdf": {"oneOf": [_NAME, _object({"topic": _TOPIC})]},
        "joints": _NAMES,
        "base": _object({"frame": _NAME, **_POSE}),
        "tool": _object(
            {"link": _NAME, "height": _POSITIVE, "rpy_deg": _VECTOR, "boxes": _list(_BOX)},
            {"mount": _object({"link": _NAME, **_POSE})},
        ),
        "home": _object({"joints": _list(_NUMBER), "tool": {**_list(_NUMBER), "minItems": 2, "maxItems": 4}}),
        "reach": _object({axis: _RANGE for axis in ("x", "y", "z", "yaw_deg")}, {"pitch_deg": _RANGE}),
        "workspace": _object({axis: _RANGE for axis in ("x", "y", "z")}),
        "tool_speed": _POSITIVE,
        "mask": _list(_object({"links": _NAMES, "margin": {"type": "number", "minimum": 0}})),
    },
    {
        "description": {"type": "string"},
        "prefix": {"type": "string", "pattern": "^[A-Za-z0-9_/-]*$"},
        "table_frame": _NAME,
        "gripper": {
            "oneOf": [
                {"type": "null"},
                _object({"joints": _NAMES, "range": _RANGE, "force": _POSITIVE, "topic": _TOPIC}, {"opening": _RANGE}),
            ]
        },
        "topics": _object({}, {"controller": _TOPIC, "joint_states": _TOPIC}),
        "limits": _object(
            {},
            {
                "position": _list(_RANGE),
                "velocity": _list(_POSITIVE),
                "acceleration": _list(_POSITIVE),
                "jerk": _list(_POSITIVE),
                "effort": _list(_POSITIVE),
            },
        ),
        "keep_out": _object(
            {},
            {
                "half_spaces": _list(_object({"name": _NAME, "normal": _VECTOR, "offset": _NUMBER})),
                "boxes": _list(_object({"name": _NAME, **_POSE, "size": _list(_POSITIVE, 3)})),
            },
        ),
        "servo_gain": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    },
)
