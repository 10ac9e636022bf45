"""Where the arm was measured, asked for by time: topics overtake each other, so what arrived first says nothing."""

from collections import deque

import numpy as np

MEMORY = 64  # joint states


class MeasuredArm:
    """The last joint positions (n,) [rad] with their stamps."""

    def __init__(self) -> None:
        self._states: deque[tuple[int, np.ndarray]] = deque(maxlen=MEMORY)

    def __bool__(self) -> bool:
        return bool(self._states)

    def add(self, stamp_ns: int, q: np.ndarray) -> None:
        """A measurement. One that comes again takes the place of the first; an older one begins anew: the clock jumped back."""
        if self._states and stamp_ns < self._states[-1][0]:
            self._states.clear()
        elif self._states and stamp_ns == self._states[-1][0]:
            self._states.pop()
        self._states.append((stamp_ns, q))

    def until(self, stamp_ns: int) -> list[np.ndarray]:
        """The last two that were measured until then, or fewer; if all were later, the first of them."""
        past = [q for stamp, q in self._states if stamp <= stamp_ns]
        return past[-2:] or [q for _, q in self._states][:1]
