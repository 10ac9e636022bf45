"""Messages that are under way: they arrive later than they were measured, in the order in which they were sent."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class Outbox:
    """Times are of the world [ns]."""

    def __init__(self) -> None:
        self._under_way: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._number = count()
        self._last: dict[str, int] = {}

    def put(self, stream: str, due_ns: int, deliver: Callable[[Any], None], message: Any) -> None:
        """A message that nobody changes any more; within a stream none overtakes another."""
        due_ns = self._last[stream] = max(due_ns, self._last.get(stream, due_ns))
        heapq.heappush(self._under_way, (due_ns, next(self._number), deliver, message))

    def deliver(self, now_ns: int) -> None:
        """All that is due."""
        while self._under_way and self._under_way[0][0] <= now_ns:
            _, _, deliver, message = heapq.heappop(self._under_way)
            deliver(message)

    def clear(self) -> None:
        """Forget what is under way: time does not go on from where it was."""
        self._under_way.clear()
        self._last.clear()
