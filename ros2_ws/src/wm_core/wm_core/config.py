"""Typed configuration: dataclasses with defaults, a YAML file over them, `key=value` from the command line over both."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

T = TypeVar("T")


class SettingError(ValueError):
    """A setting that does not exist or has the wrong type: names it, what was expected and what came."""


def configure(kind: type[T], *layers: Mapping[str, Any]) -> T:
    """A configuration dataclass from nested mappings, later layers over earlier ones; unknown names and wrong types are refused."""
    return _build(kind, layered(*layers), "")


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings in one, later ones over earlier ones."""
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer)
    return merged


def read_yaml(file: Path) -> dict[str, Any]:
    """Settings of a YAML file."""
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingError(f"{file}: expected a YAML file with settings, got {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingError(f"{file}: expected settings by name, got {type(content).__name__}")
    return content


def from_words(words: list[str]) -> dict[str, Any]:
    """Nested settings of `a.b=value` words; values are read as YAML, so `3`, `1e-3`, `true` and `[1, 2]` are what they look like."""
    result: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            raise SettingError(f"expected name=value, got '{word}'")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise SettingError(f"{name}: expected a value, got '{text}'") from error
        place = result
        *path, last = name.split(".")
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise SettingError(f"{name}: '{part}' is set to a value already")
        place[last] = value
    return result


def _merge(into: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for name, value in layer.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value


def _build(kind: Any, values: Mapping[str, Any], where: str, base: Any = None) -> Any:
    types = get_type_hints(kind)
    known = [field.name for field in fields(kind)]
    if unknown := sorted(set(values) - set(known)):
        raise SettingError(
            f"expected settings out of {', '.join(where + name for name in known)}, got '{where}{unknown[0]}'"
        )
    # Settings inside others keep the values that these give them, not those of their kind.
    inner = {
        field.name: field.default_factory()
        for field in fields(kind)
        if field.name in values and field.default_factory is not MISSING
    }
    given = {name: _value(types[name], value, where + name, inner.get(name)) for name, value in values.items()}
    return kind(**given) if base is None else replace(base, **given)


def _value(kind: Any, value: Any, name: str, base: Any) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise SettingError(f"{name}: expected settings by name, got {value!r}")
        return _build(kind, value, f"{name}.", base)
    if kind is float:
        if isinstance(value, str):  # YAML 1.1 reads 1e-3 as a string
            try:
                return float(value)
            except ValueError:
                pass
        elif isinstance(value, int) and not isinstance(value, bool):
            return float(value)
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise SettingError(f"{name}: expected {kind.__name__}, got {value!r}")
