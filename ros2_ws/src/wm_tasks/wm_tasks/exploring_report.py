"""What an exploration has come to: how much the object moved, where, how fast, and what went wrong. Pure: no ROS."""

import time
from collections import Counter
from typing import Any

import numpy as np

from wm_tasks.exploring import Kind

MOVES = 0.003  # [m] in a step
CELL = 0.04  # [m] of the places counted
LONGEST_STEP_S = 0.5  # [s] beyond it two beliefs are not neighbours


class ExploringReport:
    """Counts over the beliefs of one exploration."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: tuple[int, np.ndarray] | None = None
        self._now: Kind | None = None
        self.robot_s = 0.0
        self.steps = 0  # while exploring
        self.moved = 0  # of them the object moved
        self.seen = 0
        self.cells: set[tuple[int, int]] = set()
        self.directions: Counter[int] = Counter()  # of eight
        self.goals: Counter[str] = Counter()
        self.returned = 0
        self.broken_off = 0
        self.refused = 0
        self.losses = 0
        self.resets = 0
        self.interventions = 0

    def begin(self, kind: Kind) -> None:
        """A goal is pursued from now on."""
        self._now = kind

    def end(self) -> None:
        self._now = None

    def ended(self, kind: Kind, success: bool, broken_off: str) -> None:
        """What came of it."""
        self.goals[kind.value] += 1
        self.returned += kind is Kind.RETURN and success
        self.broken_off += bool(broken_off)

    def add(self, stamp_ns: int, xy: np.ndarray, seen: bool) -> None:
        """One belief: the object's place (2,) [m]."""
        last, self._last = self._last, (stamp_ns, xy)
        if last is None or not 0 < stamp_ns - last[0] < LONGEST_STEP_S * 1e9:
            return
        self.robot_s += (stamp_ns - last[0]) / 1e9
        if self._now is not Kind.EXPLORE:
            return
        self.steps += 1
        self.seen += seen
        motion = xy - last[1]
        if float(np.linalg.norm(motion)) > MOVES:
            self.moved += 1
            self.cells.add((int(xy[0] // CELL), int(xy[1] // CELL)))
            self.directions[int(np.arctan2(motion[1], motion[0]) / (np.pi / 4) + 8.5) % 8] += 1

    def document(self) -> dict[str, Any]:
        """As JSON."""
        wall_s = time.monotonic() - self._began
        return {
            "minutes": round(self.robot_s / 60, 3),
            "wall_minutes": round(wall_s / 60, 3),
            "steps": self.steps,
            "contact_share": round(self.moved / max(1, self.steps), 4),
            "seen_share": round(self.seen / max(1, self.steps), 4),
            "places": len(self.cells),
            "rarest_direction": round(min(self.directions[i] for i in range(8)) / max(1, self.moved), 4),
            "explorations": self.goals[Kind.EXPLORE.value],
            "returns": self.goals[Kind.RETURN.value],
            "returns_reached": self.returned,
            "broken_off": self.broken_off,
            "refused": self.refused,
            "losses": self.losses,
            "resets": self.resets,
            "interventions": self.interventions,
        }

    def line(self) -> str:
        """For a log."""
        found = self.document()
        return (
            f"{found['minutes']:.1f} min in {found['wall_minutes']:.1f} min: the object moved in {100 * found['contact_share']:.0f} %"
            f" of {found['steps']} steps, over {found['places']} places; {found['returns_reached']} of {found['returns']} returns,"
            f" {found['losses']} losses, {found['interventions']} interventions"
        )
