"""Whether a command comes from whom the arm is commanded by, and not too many at once.

A topic does not say who publishes, but counts the messages of each publisher: a message that does not continue the count of those
before it comes from somebody else, or others were lost.
"""

from collections import deque

SILENT_S = 0.5  # after which another may take over
NS = 1_000_000_000


class CommandStream:
    """`dropped` and `others` count commands that were not admitted."""

    def __init__(self, most: int) -> None:
        """`most`: commands a second."""
        self.dropped = self.others = 0
        self._times: deque[int] = deque(maxlen=most)
        self._next: int | None = None  # of the count of whom the arm is commanded by
        self._last_ns = 0

    def is_other(self, number: int | None, alone: bool, now_ns: int) -> bool:
        """Whether the message with a publisher's `number` comes from another one; `alone`: there is none.

        Whoever comes first is who commands, until silent for a while. Times are of a clock that does not jump.
        """
        if number is None:
            return not alone
        silent = self._next is None or now_ns - self._last_ns > SILENT_S * NS
        if number != self._next and not silent and not alone:
            self.others += 1
            return True
        self._next, self._last_ns = number + 1, now_ns
        return False

    def is_flood(self, now_ns: int) -> bool:
        """Whether there are too many within the last second."""
        if self._times and now_ns < self._times[-1]:
            self._times.clear()  # time went back
        if len(self._times) == self._times.maxlen and now_ns - self._times[0] < NS:
            self.dropped += 1
            return True
        self._times.append(now_ns)
        return False
