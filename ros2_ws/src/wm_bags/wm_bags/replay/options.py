"""What of a bag is replayed, under which names and when: the pure part of `./wm replay`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

NS_PER_S = 1_000_000_000
ABSOLUTE_S = 100_000_000  # seconds from here on are times since 1970, below they count from the bag's beginning
QOS = ("recorded", "reliable", "best_effort")


class ReplayError(ValueError):
    """A bag or an option that cannot be used: says what was expected, what came and what to do."""


@dataclass(frozen=True)
class ReplayOptions:
    """The options of a replay."""

    rate: float = 1.0  # bag seconds per second
    flat_out: bool = False  # as fast as the consumers keep up, whatever the rate
    clock_hz: float = 0.0  # of /clock; 0: none
    loop: bool = False
    start: str = ""  # see `moment`
    end: str = ""
    remap: Mapping[str, str] = field(default_factory=dict)  # absolute names
    topics: tuple[str, ...] = ()  # empty: all
    exclude: tuple[str, ...] = ()
    qos: str = "recorded"
    damaged: str = "refuse"  # or skip: what of the bag cannot be read
    delay_s: float = 1.0  # at most, until every topic has a subscriber

    def __post_init__(self) -> None:
        if not 1e-3 <= self.rate <= 1e3:
            raise ReplayError(f"--rate: expected 0.001 to 1000, got {self.rate}")
        if not 0 <= self.clock_hz <= 10_000:
            raise ReplayError(f"--clock: expected 0 to 10000 Hz, got {self.clock_hz}")
        if not 0 <= self.delay_s <= 3600:
            raise ReplayError(f"--delay: expected 0 to 3600 s, got {self.delay_s}")
        if self.qos not in QOS:
            raise ReplayError(f"--qos: expected one of {', '.join(QOS)}, got '{self.qos}'")

    def select(self, known: Iterable[str]) -> list[str]:
        """The topics to replay out of those of the bag; raises ReplayError for a name that the bag does not have."""
        names = {absolute(name): name for name in sorted(known)}
        for option, given in (("--topics", self.topics), ("--exclude", self.exclude), ("--remap", self.remap)):
            if unknown := [name for name in given if absolute(name) not in names]:
                raise ReplayError(f"{option}: expected topics of the bag ({', '.join(names)}), got '{unknown[0]}'")
        wanted, unwanted = ({absolute(name) for name in given} for given in (self.topics or names, self.exclude))
        chosen = [name for full, name in names.items() if full in wanted - unwanted]
        if not chosen:
            raise ReplayError("expected at least one topic to replay, --topics and --exclude leave none")
        return chosen

    def name(self, topic: str) -> str:
        """Under which name a topic of the bag is published."""
        return self.remap.get(absolute(topic), absolute(topic))

    def span(self, first_ns: int, last_ns: int) -> tuple[int, int]:
        """First and last time to replay [ns] of a bag that lasts from `first_ns` to `last_ns`; raises ReplayError."""
        start = moment("--start", self.start, first_ns) if self.start else first_ns
        end = moment("--end", self.end, first_ns) if self.end else last_ns
        length = (last_ns - first_ns) / NS_PER_S
        if start > last_ns:
            raise ReplayError(
                f"--start: expected a time within the bag, which lasts {length:.3f} s (until {last_ns / NS_PER_S:.3f}), "
                f"got {self.start}"
            )
        if end < max(start, first_ns):
            raise ReplayError(
                f"--end: expected a time after the start and after the bag's beginning ({first_ns / NS_PER_S:.3f}), got {self.end}"
            )
        return max(start, first_ns), min(end, last_ns)


def moment(option: str, text: str, first_ns: int) -> int:
    """A time [ns] given as seconds into a bag that begins at `first_ns`, or, from 1e8 on, as seconds since 1970."""
    try:
        seconds = Decimal(text)
        if not seconds.is_finite() or seconds < 0:
            raise InvalidOperation
    except InvalidOperation:
        raise ReplayError(
            f"{option}: expected seconds into the bag, or seconds since 1970 (above {ABSOLUTE_S}), got '{text}'"
        ) from None
    nanoseconds = int(seconds * NS_PER_S)
    return nanoseconds if seconds >= ABSOLUTE_S else first_ns + nanoseconds


def remappings(pairs: Iterable[str]) -> dict[str, str]:
    """Absolute names by absolute names of `from:=to`; raises ReplayError."""
    found: dict[str, str] = {}
    for pair in pairs:
        source, separator, target = pair.partition(":=")
        if not separator or not source or not target:
            raise ReplayError(f"--remap: expected from:=to, got '{pair}'")
        found[absolute(source)] = absolute(target)
    return found


def absolute(topic: str) -> str:
    """A topic's name from the root namespace, which some bags leave out."""
    return topic if topic.startswith("/") else f"/{topic}"


@dataclass(frozen=True)
class Pace:
    """When a message of the bag is due: bag time -> time of a monotonic clock, both [ns]."""

    first_ns: int  # in the bag
    begin_ns: int  # on the clock
    rate: float

    def due(self, stamp_ns: int) -> int:
        return self.begin_ns + round((stamp_ns - self.first_ns) / self.rate)
