"""Nodes of another launch that have the names of this one: two stacks on the same topics would command one arm."""

from collections.abc import Callable, Sequence

from wm_bringup.supervision.processes import Process, find, of_another_launch

LISTEN_S = 1.5  # until all who run have been heard, and who is active has said so
GONE_S = 3.0  # without a heartbeat
AGAIN_S = 1.0  # between two searches for a node that was not found here


class Strangers:
    """Recognizes them by their launcher; those of other machines by a node of the name that this launch has started itself.

    Times are seconds of a steady clock.
    """

    def __init__(
        self,
        names: Sequence[str],
        now: float,
        of_another: Callable[[Process], bool] = of_another_launch,
        find_mine: Callable[[str], Process | None] = find,
    ) -> None:
        """`names`: of the nodes of this launch. `of_another`: whether a process of this machine is of another launch;
        `find_mine`: the process of a node that this launch has started."""
        self._names, self._of_another, self._find_mine = names, of_another, find_mine
        self._judged: dict[Process, bool] = {}
        self._mine: dict[str, bool] = {}
        self._searched: dict[str, float] = {}
        self._listens_since = now
        self._last: tuple[str, Process, float] | None = None

    def heard(self, name: str, found: Process, now: float) -> bool:
        """Whether a heartbeat is of one; it is not to be supervised."""
        if name not in self._names:
            return False
        mine = self._started_here(name, now)
        if not found.away and found not in self._judged:
            self._judged[found] = self._of_another(found)
        other = mine if found.away else self._judged[found]
        if other:
            self.met(name, found, now)
        return other

    def met(self, name: str, found: Process, now: float) -> None:
        """A process is one, as is known from elsewhere."""
        if not self.problem(now):
            self._listens_since = now
        self._last = name, found, now

    def waiting(self, now: float) -> bool:
        """Whether it is to be awaited who was here first: nothing is to be changed meanwhile."""
        return now - self._listens_since < LISTEN_S

    def problem(self, now: float) -> str:
        """Who there is and what to do; empty: nobody."""
        if self._last is None or now - self._last[2] > GONE_S:
            return ""
        name, found, _ = self._last
        where = " of another machine or container" if found.away else ""
        return (
            f"expected no other wm in this domain and namespace, found {name} (process {found.pid}{where}) of another launch;"
            " end that launch, or start this one with a ROS_DOMAIN_ID or namespace of its own"
        )

    def _started_here(self, name: str, now: float) -> bool:
        """Once found, it is for good: what has ended is started again."""
        if not self._mine.get(name) and now - self._searched.get(name, -AGAIN_S) >= AGAIN_S:
            self._searched[name] = now
            self._mine[name] = self._find_mine(name) is not None
        return self._mine.get(name, False)
