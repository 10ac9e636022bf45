"""Episodes as a bag announces them, on wm/episode."""

from dataclasses import dataclass
from typing import Any

RECORDED = "recorded"  # the world of episodes that name none, as a robot's


@dataclass(frozen=True)
class Episode:
    """What a bag says of an episode; where nobody announced it, nobody knows the world and the seed."""

    index: int  # in the bag, from 0
    world: str = "video"
    seed: int = -1


@dataclass
class Announced:
    """An episode between two stamps; `end_ns`: None while it goes on."""

    begin_ns: int
    world: str
    seed: int
    end_ns: int | None = None


class Announcements:
    """The episodes that were announced lately."""

    def __init__(self, whole: str = "") -> None:
        """`whole`: the world of the one episode that a bag is in which nobody announces any."""
        self._whole = whole
        self._recent: list[Announced] = []

    def set_back(self, event: Any, stamp_ns: int) -> bool:
        """Whether an episode begins no later than the one before: the clock must have been set back."""
        return bool(self._recent) and event.event == event.BEGIN and stamp_ns <= self._recent[-1].begin_ns

    def add(self, event: Any, stamp_ns: int) -> None:
        """Take a message of wm_msgs/Episode."""
        for episode in self._recent:
            if episode.end_ns is None:
                episode.end_ns = stamp_ns if event.event == event.END else stamp_ns - 1
        del self._recent[:-8]
        if event.event == event.BEGIN:
            self._recent.append(Announced(stamp_ns, event.world or RECORDED, int(event.seed)))

    def at(self, stamp_ns: int) -> Announced | None:
        """The episode at a stamp."""
        if self._whole:
            if not self._recent:
                self._recent.append(Announced(stamp_ns, self._whole, -1))
            return self._recent[0]
        for episode in reversed(self._recent):
            if episode.begin_ns <= stamp_ns and (episode.end_ns is None or stamp_ns <= episode.end_ns):
                return episode
        return None

    def forget(self, keep: bool) -> None:
        """The clock was set back; `keep`: the last one was announced by the new clock."""
        self._recent = self._recent[-1:] if keep else []

    @property
    def last_begin_ns(self) -> int | None:
        return self._recent[-1].begin_ns if self._recent else None
