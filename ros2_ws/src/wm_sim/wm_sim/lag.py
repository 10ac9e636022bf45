"""How an arm is behind what its controller commands: dead time and a first-order lag."""

from collections import deque

import numpy as np


class ArmLag:
    """Called once per physics step."""

    def __init__(self, delay: float, lag: float, rate: float) -> None:
        """`delay` [s]: dead time, in whole steps of `rate` [Hz]. `lag` [s]: time constant. Both 0: none."""
        self._steps = round(delay * rate)
        self._share = 1.0 if lag <= 0 else 1.0 - np.exp(-1.0 / (lag * rate))
        self.reset(np.zeros(0))

    def reset(self, position: np.ndarray) -> None:
        """The arm stands at `position` (J,) [rad]."""
        self._under_way: deque[np.ndarray] = deque()
        self._position = self._last = np.array(position, float)

    def follow(self, commanded: np.ndarray) -> np.ndarray:
        """Where the arm's servos are asked to be, (J,) [rad], one step on."""
        self._under_way.append(commanded)
        if len(self._under_way) > self._steps:
            self._last = self._under_way.popleft()
        if self._share == 1.0:
            return self._last
        self._position = self._position + self._share * (self._last - self._position)
        return self._position
