"""What was really commanded to the arm: the commanded tool position at any time."""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Motion:
    """A straight tool motion from `start` (2,) at `begin_ns` to `end` (2,) at `end_ns` [m]."""

    begin_ns: int
    end_ns: int
    start: np.ndarray
    end: np.ndarray


class ExecutedMotion:
    """Piecewise linear commanded tool position; a newer motion replaces an older one from its begin on."""

    def __init__(self, memory: int = 64) -> None:
        self._motions: list[Motion] = []
        self._memory = memory

    def clear(self) -> None:
        self._motions.clear()

    def __len__(self) -> int:
        return len(self._motions)

    def record(self, effective_ns: int, duration_ns: int, ee_start: np.ndarray, ee_end: np.ndarray) -> None:
        """Remember a motion that takes effect at `effective_ns` and lasts `duration_ns`; positions (2,) [m]."""
        start, end = np.asarray(ee_start, float), np.asarray(ee_end, float)
        if start.shape != (2,) or end.shape != (2,) or not (np.isfinite(start).all() and np.isfinite(end).all()):
            raise ValueError(f"expected two finite positions of shape (2,), got {ee_start} and {ee_end}")
        if duration_ns < 0:
            raise ValueError(f"expected a duration of at least 0 ns, got {duration_ns}")
        while self._motions and self._motions[-1].begin_ns >= effective_ns:
            self._motions.pop()
        self._motions.append(Motion(effective_ns, effective_ns + duration_ns, start, end))
        del self._motions[: -self._memory]

    def target(self, t_ns: int) -> np.ndarray:
        """Commanded tool position (2,) [m] at a time; constant before the first and after the last motion."""
        if not self._motions:
            raise ValueError("expected at least one executed motion, none was recorded")
        index = bisect_right(self._motions, t_ns, key=lambda motion: motion.begin_ns) - 1
        if index < 0:
            return self._motions[0].start.copy()
        motion = self._motions[index]
        if t_ns >= motion.end_ns or motion.end_ns == motion.begin_ns:
            return motion.end.copy()
        share = (t_ns - motion.begin_ns) / (motion.end_ns - motion.begin_ns)
        return motion.start + share * (motion.end - motion.start)

    def action(self, t0_ns: int, t1_ns: int, scale: float | np.ndarray) -> np.ndarray:
        """Action (2,) that moved the commanded position from time t0 to t1, in units of `scale` [m], one or one an axis.

        Zero when nothing was commanded.
        """
        if not self._motions:
            return np.zeros(2)
        return (self.target(t1_ns) - self.target(t0_ns)) / scale
