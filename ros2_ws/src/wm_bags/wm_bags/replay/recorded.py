"""What a robot's nodes said to each other, in the order in which they said it."""

import heapq
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wm_bags.replay.old_messages import UNKNOWN, is_old, present_data
from wm_bags.replay.options import ReplayError
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag

DISORDER_NS = 5_000_000_000  # a message is recorded at most this long after it was sent
STAMP = struct.Struct("<iI")
MARK = "wm/belief"  # says the namespace that was recorded


@dataclass(frozen=True)
class Recorded:
    """One message."""

    topic: str  # relative to the recording's namespace
    sent_ns: int  # by the clock of the host, where the recorder knew it; else when it was recorded
    data: bytes  # CDR, little endian, of the present definition
    unknown: tuple[str, ...] = ()  # fields of that definition that it was recorded without

    @property
    def stamp_ns(self) -> int:
        """Of the header that the message begins with."""
        seconds, nanoseconds = STAMP.unpack_from(self.data, 4)
        return seconds * 1_000_000_000 + nanoseconds


@dataclass(frozen=True)
class Recording:
    """A bag of wm's own topics."""

    path: Path
    namespace: str  # empty, or as in "/robot"
    kinds: dict[str, str]  # type of each topic, relative to the namespace

    def messages(self, topics: Iterable[str]) -> Iterator[Recorded]:
        """Messages of these topics, in the order in which they were sent; raises ReplayError on a damaged bag."""
        names = [f"{self.namespace}/{topic}" for topic in topics if topic in self.kinds]
        return in_order(self._messages(names))

    def _messages(self, names: list[str]) -> Iterator[tuple[int, Recorded]]:
        skip = len(self.namespace) + 1
        with _opened(self.path) as bag:
            for message in bag.messages(names):
                sent_ns = message.log_ns if message.sent_ns is None else message.sent_ns
                topic, data = bag.topics[message.topic], message.data
                unknown: tuple[str, ...] = ()
                definition = topic.definition if topic.encoding == "ros2msg" else ""
                if is_old(topic.type, definition):
                    data, unknown = present_data(topic.type, definition, data), UNKNOWN[topic.type]
                yield message.log_ns, Recorded(message.topic[skip:], sent_ns, data, unknown)


@contextmanager
def _opened(path: Path) -> Iterator[Bag]:
    try:
        with Bag(path) as bag:
            yield bag
    except BagError as error:
        raise ReplayError(str(error)) from error


def open_recording(path: Path) -> Recording:
    """Open a bag that wm recorded (MCAP); raises ReplayError."""
    with _opened(path) as bag:
        kinds = {topic.name: topic.type for topic in bag.topics.values() if topic.messages}
        if bag.storage != "mcap":
            raise ReplayError(
                f"{path}: expected MCAP files, which say when a message was sent; got {[f.name for f in bag.files]}"
            )
    marks = [name for name in kinds if name.endswith(f"/{MARK}")]
    if len(marks) != 1:
        raise ReplayError(
            f"{path}: expected the recording of one robot, with {MARK}; its topics are {', '.join(sorted(kinds)) or 'none'}"
        )
    namespace = marks[0].removesuffix(f"/{MARK}")
    inside = {name[len(namespace) + 1 :]: kind for name, kind in kinds.items() if name.startswith(f"{namespace}/")}
    return Recording(path, namespace, inside)


def in_order(messages: Iterable[tuple[int, Recorded]]) -> Iterator[Recorded]:
    """Sort (time of recording [ns], message) by when they were sent; they come about in the order of recording."""
    waiting: list[tuple[int, int, Recorded]] = []
    for index, (logged_ns, message) in enumerate(messages):
        heapq.heappush(waiting, (message.sent_ns, index, message))
        while waiting and waiting[0][0] < logged_ns - DISORDER_NS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
