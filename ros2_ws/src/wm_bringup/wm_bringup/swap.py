"""A change from one bundle in the running nodes to another: what is known of both, when it is safe, and how far it has come."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FAR = 0.08  # [m] between tool and object: nothing is pushed within some steps
VISIBLE = 0.5
FRESH_S = 1.0  # since the newest belief
LONGEST_GAP_NS = 2_000_000_000  # between two commands; more is another scene


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
class Scene:
    """What the arm is doing, as far as a change of bundles must know."""

    apart: float = 0.0  # [m] between tool and believed object
    in_sight: bool = False
    believed_at: float = -math.inf  # wall clock
    idle: bool = False  # there is no goal
    stopped: bool = False  # emergency stop
    commands: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=3))  # stamps [ns], wall clock

    def safe(self, now: float) -> bool:
        """No goal, or the tool far from an object that is in sight; the arm not stopped, and all that known for sure."""
        if self.stopped or now - self.believed_at > FRESH_S:
            return False
        return self.idle or (self.in_sight and self.apart > FAR)


@dataclass
class Swap:
    """A change under way."""

    target: Used
    reason: str
    watched: bool = True  # once it is in use; not on the way back
    at_once: bool = False  # no safe moment is waited for: what is in use is worse than any moment
    phase: str = "prepare"  # then wait, use, confirm
    since: float = field(default_factory=time.monotonic)  # of the phase, wall clock
    answers: dict[str, Any] = field(default_factory=dict)  # futures of services asked in this phase
    commands: list[tuple[int, float]] = field(default_factory=list)  # stamps [ns] and wall clock, from shortly before
    first_ns: int | None = None  # stamp of the first belief

    def go_on(self, phase: str) -> None:
        self.phase, self.since, self.answers = phase, time.monotonic(), {}

    @property
    def seconds(self) -> float:
        """In this phase."""
        return time.monotonic() - self.since

    @property
    def answered(self) -> int:
        """Commands that answer what was seen with the new bundle."""
        return 0 if self.first_ns is None else sum(stamp >= self.first_ns for stamp, _ in self.commands)

    def cost(self) -> str:
        """Missed control cycles and the longest time without a command, in words."""
        count = missed([stamp for stamp, _ in self.commands], self.target.step_ns)
        gaps = [b - a for (_, a), (_, b) in zip(self.commands[:-1], self.commands[1:], strict=True)]
        return f"{count} control cycles missed, longest gap between commands {1000 * max(gaps, default=0.0):.0f} ms"


def missed(stamps: Sequence[int], step_ns: int) -> int:
    """Control cycles without a command between the first and the last of some command stamps; jumps of a new scene are none."""
    gaps = [b - a for a, b in zip(stamps[:-1], stamps[1:], strict=True)]
    return sum(max(0, round(gap / step_ns) - 1) for gap in gaps if 0 < gap <= LONGEST_GAP_NS)
