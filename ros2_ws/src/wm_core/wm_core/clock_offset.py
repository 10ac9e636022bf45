"""How far the clock behind a topic's stamps is from this node's: measured from the quickest of its messages. Pure: no ROS.

A message cannot arrive before it was sent. Where the quickest one of some seconds did, by its stamp, the sender's clock is ahead by at
least that much: its controller would take what this machine sends for the past, so commands are timed by that clock. A clock that is
behind cannot be distinguished from a slow connection, and does the same harm: what is seen is older than it seems.
"""

from collections import deque

NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
SECONDS = 5  # of which the quickest message counts
FEWEST = 10  # messages before anything is said
CERTAIN = 2  # seconds that are over before anybody computes by it
SAME_NS = 2 * NS_PER_MS  # by which it may be off for that
AHEAD_NS = 10 * NS_PER_MS  # more is no accident of scheduling and rounding
BEHIND_NS = 150 * NS_PER_MS  # more than cameras and networks take
REMEDY = "synchronise the machines' clocks (chrony or ptp4l on both; for a camera, its driver's host or global time)"


class ClockOffset:
    """The offset of one publisher's clock."""

    def __init__(self, source: str, behind_ns: int = BEHIND_NS) -> None:
        """`source`: whose clock it is, in the words of the message; `behind_ns`: what its messages may be late by."""
        self._source, self._behind_ns = source, behind_ns
        self._quickest: deque[tuple[int, int]] = deque(
            maxlen=SECONDS
        )  # second, and the largest stamp minus receipt in it [ns]
        self._count = self._ahead_ns = 0

    def heard(self, stamp_ns: int, now_ns: int) -> None:
        """A message came at `now_ns` [ns] of this node's clock, stamped `stamp_ns` by the sender's."""
        second, early = now_ns // NS_PER_S, stamp_ns - now_ns
        self._count += 1
        if self._quickest and self._quickest[-1][0] == second:
            early = max(early, self._quickest.pop()[1])
        self._quickest.append((second, early))

    @property
    def offset_ns(self) -> int | None:
        """[ns] by which the sender's clock is ahead (at least), negative: behind (at most); None before there are enough messages."""
        return max(early for _, early in self._quickest) if self._count >= FEWEST else None

    @property
    def ahead_ns(self) -> int:
        """[ns] by which the sender's clock is ahead for certain, as each of the last seconds has shown; else 0.

        For who computes by the sender's clock: it is steady, and one wrong stamp does not change it.
        """
        over = [early for _, early in self._quickest][:-1]
        found = min(over) if len(over) >= CERTAIN else 0
        found = found if found > AHEAD_NS else 0
        if abs(found - self._ahead_ns) > SAME_NS:
            self._ahead_ns = found
        return self._ahead_ns

    def problem(self) -> str:
        """What is wrong, and the remedy; empty when nothing is."""
        offset = self.offset_ns
        if offset is None or -self._behind_ns <= offset <= AHEAD_NS:
            return ""
        milliseconds = f"{abs(offset) / NS_PER_MS:.0f} ms"
        if offset > 0:
            return (
                f"the clock of the {self._source} is {milliseconds} ahead of this machine's; commands are timed by it as far as it is"
                f" measured: {REMEDY}"
            )
        return f"the {self._source} come {milliseconds} after their stamps: their clock is behind, or they are late; {REMEDY}"
