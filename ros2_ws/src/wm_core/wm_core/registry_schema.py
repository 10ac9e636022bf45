"""What a registry.json must say, as a JSON schema."""

import re
from collections.abc import Iterator
from typing import Any

from wm_core import checked_yaml

FILE_SCHEMA = 1
ID_PATTERN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")

_TEXT = {"type": "string"}
_ID = {"type": "string", "pattern": f"^{ID_PATTERN.pattern}$"}
_ENTRY = {
    "type": "object",
    "required": ["family", "sha256", "added", "base", "data", "bags", "metrics", "why", "gates"],
    "additionalProperties": False,
    "properties": {
        "family": _TEXT,
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "added": _TEXT,
        "base": _TEXT,
        "data": {"type": "object", "additionalProperties": _TEXT},
        "bags": {"type": "array", "items": _TEXT},
        "metrics": {"type": "object"},
        "why": _TEXT,
        "gates": {"type": "array", "items": {"type": "object"}},
    },
}
_EVENT = {
    "type": "object",
    "required": ["kind", "id", "date", "why"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": ["started", "promoted", "forced", "refused", "rolled back"]},
        "id": _ID,
        "date": _TEXT,
        "why": _TEXT,
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "promoted", "entries", "history"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": FILE_SCHEMA},
        "promoted": _ID,
        "entries": {"type": "object", "minProperties": 1, "propertyNames": _ID, "additionalProperties": _ENTRY},
        "history": {"type": "array", "minItems": 1, "items": _EVENT},
    },
}


def faults(document: Any) -> Iterator[str]:
    """What is wrong with a registry.json, with where it is."""
    for field, message in checked_yaml.faults(SCHEMA, document):
        yield f"{field or 'registry.json'}: {message}"
