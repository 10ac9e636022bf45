"""How far from a standing arm its controller was sent: trajectories beside joint states, by their stamps. Pure.

Not by when they are heard: an observer that was kept waiting would take an arm for standing that had begun to move. An arm lags
behind what it is commanded: it stands where neither its joint states nor what was commanded lately move.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from wm_core.clock_offset import NS_PER_S

STILL_RAD, STILL_S = 0.0015, 0.15  # an arm whose joints stay within this, for so long, stands
LAG_S = 0.3  # after a motion was commanded, within which an arm begins to move


class CommandedSteps:
    """Of one arm, on one clock."""

    def __init__(self) -> None:
        self._stamps_ns: list[int] = []
        self._measured: list[np.ndarray] = []
        self._commanded: list[tuple[int, np.ndarray]] = []

    def measured(self, stamp_ns: int, q: Sequence[float]) -> None:
        """Joints (n,) [rad] of a joint state; one that is not newer than the last is left out."""
        if not self._stamps_ns or stamp_ns > self._stamps_ns[-1]:
            self._stamps_ns.append(stamp_ns)
            self._measured.append(np.asarray(q, float))

    @property
    def newest(self) -> np.ndarray:
        """Joints (n,) [rad] as measured last; raises IndexError before any."""
        return self._measured[-1]

    def commanded(self, stamp_ns: int, points: Sequence[Sequence[float]]) -> None:
        """Joints (k, n) [rad] of a trajectory, and when it begins."""
        self._commanded.append((stamp_ns, np.asarray(points, float)))

    def steps(self, begin_ns: int, excused: Sequence[tuple[int, int]] = ()) -> list[float]:
        """[rad] of the joint that is farthest, of the first point of each trajectory since `begin_ns` that began while the arm stood.

        `excused`: times, from and to, of which trajectories do not count: the controller did not take them.
        """
        counted = [each for each in self._commanded if not any(begin <= each[0] <= end for begin, end in excused)]
        found = []
        for i, (stamp_ns, points) in enumerate(counted):
            lately = [before for at, before in counted[:i] if 0 <= stamp_ns - at <= LAG_S * NS_PER_S]
            standing = self._standing(stamp_ns)
            if stamp_ns < begin_ns or standing is None or any(np.abs(p - standing).max() > STILL_RAD for p in lately):
                continue
            found.append(float(np.abs(points[0] - standing).max()))
        return found

    def _standing(self, at_ns: int) -> np.ndarray | None:
        """Joints (n,) [rad] of an arm that has stood until then; None: it moves, or nothing is known of it."""
        since_ns = at_ns - round(STILL_S * NS_PER_S)
        begin, end = bisect_left(self._stamps_ns, since_ns), bisect_right(self._stamps_ns, at_ns)
        if end - begin < 2 or self._stamps_ns[end - 1] - self._stamps_ns[begin] < 0.5 * STILL_S * NS_PER_S:
            return None
        window = np.array(self._measured[begin:end])
        return window[-1] if (np.ptp(window, axis=0) <= STILL_RAD).all() else None
