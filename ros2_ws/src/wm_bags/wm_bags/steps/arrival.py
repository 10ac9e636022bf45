"""When a message without a stamp of its own arrived, by the clock of those that have one."""

from collections import deque

MEMORY = 256  # messages of which the quickest says how far the recorder's clock is from the stamps'
SAME_CLOCK_NS = 50_000_000  # the quickest message takes less: what is farther apart are two clocks


class ArrivalClock:
    """The recorder's clock may be another than the stamps': simulated time, or another machine's. The message that was recorded
    soonest after its stamp tells whether it is, and the difference."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the clock has jumped."""
        self._differences: deque[int] = deque(maxlen=MEMORY)

    def add(self, log_ns: int, stamp_ns: int) -> None:
        """Take a stamped message."""
        self._differences.append(log_ns - stamp_ns)

    def stamp(self, log_ns: int) -> int:
        """The stamp [ns] of a message recorded now; before any stamped one, the recorder's time."""
        difference = min(self._differences, default=0)
        return log_ns if abs(difference) < SAME_CLOCK_NS else log_ns - difference
