"""Nodes of another launch that have the names of this one: two stacks on the same topics would command one arm."""

from wm_bringup.supervision.processes import Process, of_another_launch

LISTEN_S = 1.5  # until all who run have been heard, and who is active has said so
GONE_S = 3.0  # without a heartbeat


class Strangers:
    """Recognizes them by the launcher in their environment. Times are seconds of a steady clock."""

    def __init__(self, names: list[str], now: float) -> None:
        """`names`: of the nodes of this launch."""
        self._names = names
        self._judged: dict[Process, bool] = {}
        self._listens_since = now
        self._last: tuple[str, Process, float] | None = None

    def heard(self, name: str, found: Process, now: float) -> bool:
        """Whether a heartbeat of this machine is of one; it is not to be supervised."""
        if name not in self._names:
            return False
        if found not in self._judged:
            self._judged[found] = of_another_launch(found)
        if self._judged[found]:
            if not self.problem(now):
                self._listens_since = now
            self._last = name, found, now
        return self._judged[found]

    def waiting(self, now: float) -> bool:
        """Whether it is to be awaited who was here first: nothing is to be changed meanwhile."""
        return now - self._listens_since < LISTEN_S

    def problem(self, now: float) -> str:
        """Who there is and what to do; empty: nobody."""
        if self._last is None or now - self._last[2] > GONE_S:
            return ""
        name, found, _ = self._last
        return (
            f"expected no other wm in this domain and namespace, found {name} (process {found.pid}) of another launch;"
            " end that launch, or start this one with a ROS_DOMAIN_ID of its own"
        )
