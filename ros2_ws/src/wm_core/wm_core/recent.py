"""What was counted of late: what a node counted once, long ago, is no reason to warn for ever."""

from collections import Counter, deque
from collections.abc import Mapping

WINDOW_S = 5.0


class RecentCounts:
    """Remembers counts of some seconds, at the times of the reports."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._past: deque[tuple[float, Mapping[str, int]]] = deque()

    def grown(self, counts: Mapping[str, int], now: float) -> Counter[str]:
        """By how much each count is larger than `window_s` before `now` [s], as far as reports go back; only those that are."""
        while len(self._past) > 1 and self._past[1][0] <= now - self._window_s:
            self._past.popleft()
        before = self._past[0][1] if self._past else {}
        self._past.append((now, dict(counts)))
        return Counter(
            {name: count - before.get(name, 0) for name, count in counts.items() if count > before.get(name, 0)}
        )
