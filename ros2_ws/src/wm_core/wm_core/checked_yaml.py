"""YAML files that people write, held against a JSON schema; the errors of their readers name the file and the field."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError


def load_yaml(file: Path, error: type[ValueError]) -> Any:
    """The content of a file; raises `error` for what is no YAML, and OSError for what cannot be read."""
    try:
        return yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise error(f"{file}: expected YAML, got {fault}") from fault


def faults(schema: dict[str, Any], data: Any) -> Iterator[tuple[str, str]]:
    """What of some data does not follow a schema: the field (`a.b.0`; empty: the whole) and why, in the order of the fields.

    Unknown fields come before missing ones, of which they may be the misspelt name.
    """
    found = [plain for fault in Draft202012Validator(schema).iter_errors(data) for plain in _plain(fault)]
    for fault in sorted(found, key=lambda each: (list(map(str, each.absolute_path)), each.validator == "required")):
        yield ".".join(map(str, fault.absolute_path)), _message(fault)


def load_checked(file: Path, schema: dict[str, Any], error: type[ValueError]) -> Any:
    """The content of a file that follows a schema; raises `error` naming file and field, and OSError."""
    data = load_yaml(file, error)
    if data is None:
        raise error(f"{file}: expected {_fields(schema)}, the file is empty")
    found = list(faults(schema, data))
    if found:
        first = found[0][0]
        said = "; ".join(message for field, message in found if field == first)
        raise error(f"{file}: {first or 'file'}: {said}")
    return data


def _fields(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    return f"the fields {', '.join(required)}" if required else "fields and values"


def _plain(fault: ValidationError) -> Iterator[ValidationError]:
    """The fault, or those of the alternative (`oneOf`, `anyOf`) that was most likely meant."""
    branches: dict[Any, list[ValidationError]] = {}
    for each in fault.context or ():
        branches.setdefault(each.schema_path[0], []).append(each)
    if not branches or _one_of_fields(fault) or all(_is_of_another_type(branch) for branch in branches.values()):
        yield fault
        return
    meant = min(branches.values(), key=lambda branch: (_is_another_kind(branch), len(branch)))
    for each in meant:
        yield from _plain(each)


def _is_of_another_type(branch: list[ValidationError]) -> bool:
    return any(each.validator == "type" and not each.path for each in branch)


def _is_another_kind(branch: list[ValidationError]) -> int:
    return sum(each.validator in ("const", "type") for each in branch)


def _one_of_fields(fault: ValidationError) -> list[str]:
    """Names out of which there must be some, where the alternatives say no more than that."""
    if fault.validator not in ("oneOf", "anyOf") or any(set(each) != {"required"} for each in fault.validator_value):
        return []
    return [name for each in fault.validator_value for name in each["required"]]


def _message(fault: ValidationError) -> str:
    if fault.validator == "additionalProperties":
        known, patterns = fault.schema.get("properties", {}), fault.schema.get("patternProperties", {})
        unknown = [str(name) for name in fault.instance if name not in known]
        unknown = [name for name in unknown if not any(re.search(pattern, name) for pattern in patterns)]
        missing = [name for name in known if name not in fault.instance]
        return ", ".join(f"unknown field '{name}'{_meant(name, missing, list(known))}" for name in unknown)
    if fields := _one_of_fields(fault):
        given = [name for name in fields if name in fault.instance]
        return f"expected {' or '.join(fields)}, got {' and '.join(given) or 'none of them'}"
    if fault.context:  # alternatives of other types
        types = {str(each.validator_value) for each in fault.context if each.validator == "type" and not each.path}
        return f"expected {' or '.join(sorted(types))}, got {fault.instance!r}"
    return fault.message


def _meant(name: str, missing: list[str], known: list[str]) -> str:
    close = difflib.get_close_matches(name, missing, 1)
    if close:
        return f" (did you mean '{close[0]}'?)"
    return f", known are {', '.join(known)}" if known else ""
