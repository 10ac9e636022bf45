"""Layouts: the names of the numbers along the last axis of an array, so that nobody looks them up by place."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Columns = slice | list[int]


class LayoutError(ValueError):
    """A part or field that a layout does not have: says which it has."""


@dataclass(frozen=True)
class Part:
    """`slots` times the same `fields`, one slot after another."""

    name: str
    fields: tuple[str, ...]
    slots: int = 1

    @property
    def size(self) -> int:
        return self.slots * len(self.fields)


@dataclass(frozen=True)
class Layout:
    """Parts one after another along the last axis of arrays, of numpy or torch."""

    parts: tuple[Part, ...]

    @cached_property
    def size(self) -> int:
        """Numbers in all."""
        return sum(part.size for part in self.parts)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each number: `object_0.x`, `tool.y`."""
        return tuple(
            f"{part.name}_{slot}.{field}" if part.slots > 1 else f"{part.name}.{field}"
            for part in self.parts
            for slot in range(part.slots)
            for field in part.fields
        )

    def slice(self, part: str) -> slice:
        """Where all of a part lies; raises LayoutError."""
        begin, found = self._find(part)
        return slice(begin, begin + found.size)

    def columns(self, part: str, fields: Sequence[str] | None = None, slot: int = 0) -> Columns:
        """Where some fields (default: all) of one slot of a part lie: a slice where they follow each other; raises LayoutError."""
        begin, found = self._find(part)
        if not 0 <= slot < found.slots:
            raise LayoutError(f"expected a slot of {part} below {found.slots}, got {slot}")
        names = found.fields if fields is None else tuple(fields)
        if missing := [name for name in names if name not in found.fields]:
            raise LayoutError(f"expected fields of {part} out of {list(found.fields)}, got {missing}")
        first = begin + slot * len(found.fields)
        return columns([first + found.fields.index(name) for name in names])

    def of(self, values: Any, part: str, fields: Sequence[str] | None = None, slot: int = 0) -> Any:
        """Some fields (..., n) of one slot of a part of `values` (..., size): a view where they follow each other."""
        return values[..., self.columns(part, fields, slot)]

    def _find(self, name: str) -> tuple[int, Part]:
        begin = 0
        for part in self.parts:
            if part.name == name:
                return begin, part
            begin += part.size
        raise LayoutError(f"expected a part out of {[part.name for part in self.parts]}, got '{name}'")


def columns(places: list[int]) -> Columns:
    """Places on an axis as a slice where they follow each other: indexing with it makes a view."""
    if not places:
        return slice(0, 0)
    first = places[0]
    return slice(first, first + len(places)) if places == list(range(first, first + len(places))) else places
