"""Where the joints of an arm were commanded to be, over time."""

import numpy as np

MEMORY_NS = 1_000_000_000  # of what is past


class JointPath:
    """Joint positions (n,) [rad]: straight between points, constant before the first and after the last. Times in integer ns.

    Empty until the first `replace`: the arm was commanded nowhere yet.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all: nobody knows any more where the arm is commanded to be."""
        self._times = np.empty(0, np.int64)
        self._points = np.empty((0, 0))

    def __bool__(self) -> bool:
        return len(self._times) > 0

    @property
    def end_ns(self) -> int:
        """When the last point is due; raises IndexError while empty."""
        return int(self._times[-1])

    def replace(self, begin_ns: int, times_ns: np.ndarray, points: np.ndarray) -> None:
        """From `begin_ns` on, where points[0] is, go to points[1:] at `times_ns` (T,), ascending; `points` (T+1, n) [rad]."""
        before = int(np.searchsorted(self._times, begin_ns))
        kept = slice(int(np.searchsorted(self._times, begin_ns - MEMORY_NS)), before)
        self._points = np.concatenate([self._points[kept], points]) if before else np.array(points, float)
        self._times = np.concatenate([self._times[kept], [begin_ns], times_ns]).astype(np.int64)

    def at(self, time_ns: int) -> np.ndarray:
        """Commanded joints (n,) [rad] at a time; raises IndexError while empty."""
        i = int(np.searchsorted(self._times, time_ns, side="right"))
        if i == 0 or i == len(self._times):
            return self._points[0 if i == 0 else -1]
        share = (time_ns - self._times[i - 1]) / (self._times[i] - self._times[i - 1])
        return self._points[i - 1] + share * (self._points[i] - self._points[i - 1])

    def speed(self, time_ns: int) -> np.ndarray:
        """Commanded joint velocities (n,) [rad/s] just after a time; zero before the first point and after the last."""
        i = int(np.searchsorted(self._times, time_ns, side="right"))
        if i == 0 or i == len(self._times):
            return np.zeros(self._points.shape[1])
        return (self._points[i] - self._points[i - 1]) / (self._times[i] - self._times[i - 1]) * 1e9

    def box(self, begin_ns: int, end_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest commanded joints (n,) [rad] within a time."""
        within = self._points[
            np.searchsorted(self._times, begin_ns, side="right") : np.searchsorted(self._times, end_ns)
        ]
        all_of_it = np.vstack([self.at(begin_ns), within, self.at(end_ns)])
        return all_of_it.min(axis=0), all_of_it.max(axis=0)
