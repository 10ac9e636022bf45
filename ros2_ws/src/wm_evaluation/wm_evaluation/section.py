"""What one measurement says: figures for JSON, tables and pictures for the report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A plot or film strip as PNG bytes."""

    png: bytes = field(repr=False)
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One measurement of one or several bundles."""

    name: str  # key in the JSON report
    title: str
    protocol: str  # how it was measured: data, seeds, definitions
    figures: dict[str, Any]  # bundle or baseline -> numbers, as JSON
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
