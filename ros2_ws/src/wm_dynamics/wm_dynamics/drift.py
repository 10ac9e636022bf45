"""Drift: whether one-step prediction errors of a moving object have become larger than the model's held-out data says.

A one-sided cumulative sum (Page, Continuous inspection schemes, Biometrika 1954) of the logarithm of error over expectation:
S = max(0, S + log(error / expected) - ALLOWANCE), an alarm above THRESHOLD. Both were tuned on 180 goals in the known worlds (seeds
from 5000), in which S stayed below 18.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

ALLOWANCE = 0.3  # of the logarithm: a third more error than expected is no drift
THRESHOLD = 24.0
LIMITS = (-1.5, 1.5)  # of one step's logarithm: no single step decides
FLOOR = 0.0005  # [m] smaller errors are this
MOVED = (0.002, 0.08)  # [m] in a step: less is noise, more is somebody putting the object elsewhere
RECENT = 50  # moving steps of the mean error
HIGHEST = 2 * THRESHOLD  # so that a world that is as before again is believed within some goals


@dataclass(frozen=True)
class DriftState:
    """What is known after an observation."""

    level: float  # evidence over its threshold; above 1 the world has changed
    since_ns: int  # when the evidence began to rise; 0 while there is none
    error: float  # [m] mean of the recent moving steps; NaN before the first
    expected: float  # [m]; NaN where the bundle does not say
    steps: int  # that `error` is the mean of


class DriftWatch:
    """Accumulates the errors of one bundle."""

    def __init__(self, expected: float | None, step_ns: int) -> None:
        """`expected` [m]: mean error of one step on held-out data while the object moves; None: not known, nothing is accumulated."""
        self._expected = expected
        self._step_ns = step_ns
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._sum, self._since_ns = 0.0, 0
        self._errors: deque[float] = deque(maxlen=RECENT)
        self._seen: tuple[int, np.ndarray] | None = None

    def update(self, stamp_ns: int, error: float, object_xy: np.ndarray | None, restarted: bool) -> DriftState:
        """Add one observation: the prediction's error [m] (NaN: none), where the object is seen (2,) [m] (None: it is not), and
        whether the belief began anew."""
        before, self._seen = self._seen, None if object_xy is None else (stamp_ns, np.array(object_xy, float))
        if self._expected is not None and not restarted and math.isfinite(error) and self._moved(before):
            self._errors.append(error)
            ratio = math.log(max(error, FLOOR) / self._expected)
            risen = self._sum + min(max(ratio, LIMITS[0]), LIMITS[1]) - ALLOWANCE
            if self._sum == 0 and risen > 0:
                self._since_ns = stamp_ns
            self._sum = min(max(0.0, risen), HIGHEST)
            if self._sum == 0:
                self._since_ns = 0
        mean = float(np.mean(self._errors)) if self._errors else math.nan
        expected = math.nan if self._expected is None else self._expected
        return DriftState(self._sum / THRESHOLD, self._since_ns, mean, expected, len(self._errors))

    def _moved(self, before: tuple[int, np.ndarray] | None) -> bool:
        if before is None or self._seen is None or self._seen[0] - before[0] > 1.5 * self._step_ns:
            return False
        return MOVED[0] < float(np.linalg.norm(self._seen[1] - before[1])) < MOVED[1]
