"""A change from one bundle in the running nodes to another: what is known of both, and how far it has come."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Used:
    """A bundle in the nodes."""

    id: str
    folder: str  # empty: not known
    step_ns: int = 100_000_000
    metric: float | None = None  # [m] error of one step on held-out data

    @staticmethod
    def read(folder: str) -> "Used":
        """From its bundle.yaml; the nodes verify it."""
        spec = yaml.safe_load((Path(folder) / "bundle.yaml").read_text())
        metric = spec.get("metrics", {}).get("open_loop_moving_mm", {}).get("model", {}).get("1")
        return Used(spec["id"], folder, round(1e9 * spec["step_duration"]), None if metric is None else metric / 1000)


@dataclass
class Swap:
    """A change of bundles under way."""

    target: Used
    reason: str
    watched: bool = True  # once it is in use; not on the way back
    at_once: bool = False  # no safe moment is waited for: what is in use is worse than any moment
    phase: str = "prepare"
    since: float = field(default_factory=time.monotonic)  # of the phase, wall clock
    answers: dict[str, Any] = field(default_factory=dict)  # futures of services asked in this phase
    stamps: list[int] = field(default_factory=list)  # of commands from shortly before
    arrived: list[float] = field(default_factory=list)  # of these, wall clock
    first_ns: int | None = None  # stamp of the first belief

    def go_on(self, phase: str) -> None:
        self.phase, self.since, self.answers = phase, time.monotonic(), {}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since
