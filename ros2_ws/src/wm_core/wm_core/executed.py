"""What was really commanded to the arm: the commanded tool at any time."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_core.scene import ToolState
from wm_core.specs import ActionSpec

HOLD = 2  # wm_msgs/Command.HOLD


def nothing_sent(executed: Any) -> bool:
    """Whether a wm_msgs/Command on wm/executed only says that the guard refused a command and could not even send a hold."""
    return executed.status == HOLD and not len(executed.trajectory.points)


@dataclass(frozen=True)
class Motion:
    """A straight tool motion from `start` (6,) at `begin_ns` to `end` (6,) at `end_ns`: values of ToolState."""

    begin_ns: int
    end_ns: int
    start: np.ndarray
    end: np.ndarray


class ExecutedMotion:
    """Piecewise linear commanded tool state; a newer motion replaces an older one from its begin on."""

    def __init__(self, memory: int = 64) -> None:
        self._motions: list[Motion] = []
        self._memory = memory

    def clear(self) -> None:
        self._motions.clear()

    def __len__(self) -> int:
        return len(self._motions)

    def record(self, effective_ns: int, duration_ns: int, start: ToolState, end: ToolState) -> None:
        """Remember a motion that takes effect at `effective_ns` and lasts `duration_ns`, between two tool states (6,)."""
        if not (np.isfinite(start.position).all() and np.isfinite(end.position).all()):
            raise ValueError(f"expected finite numbers, got a motion from {start.position} to {end.position}")
        if duration_ns < 0:
            raise ValueError(f"expected a duration of at least 0 ns, got {duration_ns}")
        while self._motions and self._motions[-1].begin_ns >= effective_ns:
            self._motions.pop()
        self._motions.append(Motion(effective_ns, effective_ns + duration_ns, start.values.copy(), end.values.copy()))
        del self._motions[: -self._memory]

    def target(self, t_ns: int) -> ToolState:
        """Commanded tool state (6,) at a time; constant before the first and after the last motion."""
        if not self._motions:
            raise ValueError("expected at least one executed motion, none was recorded")
        index = bisect_right(self._motions, t_ns, key=lambda motion: motion.begin_ns) - 1
        if index < 0:
            return ToolState(self._motions[0].start.copy())
        motion = self._motions[index]
        if t_ns >= motion.end_ns or motion.end_ns == motion.begin_ns:
            return ToolState(motion.end.copy())
        share = (t_ns - motion.begin_ns) / (motion.end_ns - motion.begin_ns)
        return ToolState(motion.start + share * (motion.end - motion.start))

    def action(self, t0_ns: int, t1_ns: int, spec: ActionSpec) -> np.ndarray:
        """Action (A,) that moved the commanded tool from time t0 to t1; zero when nothing was commanded."""
        if not self._motions:
            return np.zeros(spec.size)
        return spec.from_displacement(self.target(t1_ns).values - self.target(t0_ns).values)
