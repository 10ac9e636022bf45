"""What is measured: the order of the report, and the figures that stand in its summary."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Headline:
    """A figure of the summary: where it is below a bundle's figures, and how it is written."""

    title: str
    path: tuple[str, ...]
    digits: int = 1
    scale: float = 1.0
    best: str = "low"  # or "high", or "" where neither is better

    def text(self, value: Any) -> str:
        """A number, or an estimate as Estimate.json says it, as text."""
        if value is None:
            return "–"
        if isinstance(value, dict):
            inner = ", ".join(self.text(value[bound]) for bound in ("low", "high"))
            return f"{self.text(value['value'])} [{inner}]"
        return f"{self.scale * value:.{self.digits}f}"


@dataclass(frozen=True)
class Entry:
    """One measurement: a module `wm_learning.evaluation.NAME` with a function `measure`."""

    name: str
    says: str  # for --help
    headlines: tuple[Headline, ...] = ()

    def module(self) -> ModuleType:
        return import_module(f"wm_learning.evaluation.{self.name}")


ENTRIES = (
    Entry(
        "open_loop",
        "error of imagined positions by horizon",
        (
            Headline("object error after 1 step, moving [mm]", ("object_mm", "1")),
            Headline("object error after 10 steps, moving [mm]", ("object_mm", "10")),
            Headline("object error after 20 steps, moving [mm]", ("object_mm", "20")),
        ),
    ),
)
NAMES = tuple(entry.name for entry in ENTRIES)
