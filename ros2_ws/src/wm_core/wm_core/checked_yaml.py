"""YAML files that people write, held against a JSON schema; the errors of their readers name the file and the field."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator


def load_yaml(file: Path, error: type[ValueError]) -> Any:
    """The content of a file; raises `error` for what is no YAML, and OSError for what cannot be read."""
    try:
        return yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise error(f"{file}: expected YAML, got {fault}") from fault


def faults(schema: dict[str, Any], data: Any) -> Iterator[tuple[str, str]]:
    """What of some data does not follow a schema: the field (`a.b.0`; empty: the whole) and why, in the order of the fields."""
    for fault in sorted(Draft202012Validator(schema).iter_errors(data), key=lambda each: list(map(str, each.path))):
        yield ".".join(map(str, fault.path)), fault.message


def load_checked(file: Path, schema: dict[str, Any], error: type[ValueError]) -> Any:
    """The content of a file that follows a schema; raises `error` naming file and field, and OSError."""
    data = load_yaml(file, error)
    for field, message in faults(schema, data):
        raise error(f"{file}: {field or 'file'}: {message}")
    return data
