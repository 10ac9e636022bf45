"""Which topics that a recording is expected to hold say nothing. Pure: no ROS."""

from collections.abc import Iterable

PATIENCE_S = 5.0  # a camera may need some seconds to start


class Silence:
    """Remembers when each needed topic was last heard. Times are seconds of any steady clock."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._heard: dict[str, float | None] = {}  # None: never

    def need(self, topics: Iterable[str], now: float) -> None:
        """From now on these topics are needed, and no others."""
        needed = set(topics)
        if needed != self._heard.keys():
            self._since = now
        self._heard = {topic: self._heard.get(topic) for topic in sorted(needed)}

    def heard(self, topic: str, now: float) -> None:
        """A message has come."""
        if topic in self._heard:
            self._heard[topic] = now

    def never(self) -> list[str]:
        """Topics of which no message has come at all."""
        return [topic for topic, at in self._heard.items() if at is None]

    def silent(self, now: float) -> dict[str, float]:
        """Topics that have said nothing for longer than PATIENCE_S, and for how long [s]."""
        silent = {topic: now - (self._since if at is None else at) for topic, at in self._heard.items()}
        return {topic: seconds for topic, seconds in silent.items() if seconds > PATIENCE_S}
