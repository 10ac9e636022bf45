"""Whether an arm stands still while it is commanded to move, sooner than it is far from where it was commanded."""

from collections import deque

import numpy as np

from wm_core.joint_path import JointPath

NS = 1_000_000_000
WINDOW_S = 0.06  # over which the arm has not moved
LAGS = 3  # within what an arm may be behind, at which the path is looked at
MOVES = 0.008  # [rad] of a joint in that window: less is too slow to tell
SHARE = 0.2  # of what it should have moved: an arm that moves less stands still
FEWEST = 3  # joint states in the window: two that are far apart are of a clock that was set
LOOK_S = 0.01  # between two looks, however often joint states come


class Stalling:
    """`problem`: what the newest joint states say; empty: it moves, or rests as commanded.

    An arm that follows late moves as it was commanded a moment ago, whatever the moment.
    """

    def __init__(self, lag: float) -> None:
        """`lag` [s]: that an arm may be behind its commands and yet follow."""
        self._looked_ns = 0
        self._lags = np.linspace(0.0, lag * NS, LAGS).astype(np.int64)
        self._measured: deque[tuple[int, np.ndarray]] = deque()
        self.problem = ""

    def forget(self) -> None:
        """The arm was put elsewhere, or time went back."""
        self._measured.clear()
        self.problem = ""

    def look(self, q: np.ndarray, stamp_ns: int, path: JointPath) -> None:
        """Joints `q` (n,) [rad] as measured, believed or not, and where they were commanded."""
        while self._measured and self._measured[-1][0] >= stamp_ns:
            self._measured.pop()  # of another publisher, or of a clock that was set back
        self._measured.append((stamp_ns, q))
        if 0 <= stamp_ns - self._looked_ns < LOOK_S * NS:
            return
        self._looked_ns, begin_ns = stamp_ns, stamp_ns - round(WINDOW_S * NS)
        while len(self._measured) > 1 and self._measured[1][0] <= begin_ns:
            self._measured.popleft()
        first_ns, self.problem = self._measured[0][0], ""
        if not path or first_ns > begin_ns or len(self._measured) < FEWEST:
            return
        wanted = min(float(np.abs(path.at(stamp_ns - lag) - path.at(first_ns - lag)).max()) for lag in self._lags)
        if wanted <= MOVES:
            return
        moved = np.ptp(
            [each for _, each in self._measured], axis=0
        ).max()  # one of several that publish may say that it moves
        if moved < SHARE * wanted:
            self.problem = (
                f"the arm stands still for {WINDOW_S:g} s while it is commanded to move; is its controller active?"
            )
