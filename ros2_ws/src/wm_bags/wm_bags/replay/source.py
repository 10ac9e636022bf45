"""The bag that is replayed: topics with their types and offered QoS, and messages as bytes in recorded order."""

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosReliability
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys.store import Typestore

from wm_bags.replay.old_messages import is_old, present_data
from wm_bags.replay.options import ReplayError
from wm_bags.storage.reading import Bag

AHEAD = 200  # messages read ahead of the one that is due
INFINITE_S = 9_000_000_000  # rosbag2 writes 9223372036.854775807 s for "no limit"


@dataclass(frozen=True)
class RecordedTopic:
    """One topic of a bag."""

    name: str
    kind: str  # e.g. sensor_msgs/msg/Image
    digest: str  # of the definition it was recorded with; empty: not known
    offered: tuple[Qos, ...] = ()
    definition: str = ""  # ros2msg; empty: not known


class Source:
    """An open bag."""

    def __init__(self, bag: Bag, damaged: str) -> None:
        self.topics = {
            name: RecordedTopic(
                name,
                topic.type,
                topic.digest,
                tuple(parse_qos(topic.offered_qos or [])),
                topic.definition if topic.encoding == "ros2msg" else "",
            )
            for name, topic in bag.topics.items()
        }
        self.notes = bag.notes
        self._path, self._damaged = bag.path, damaged
        span = bag.span()
        if span is None:
            raise ReplayError(f"{bag.path}: expected messages, the bag is empty")
        self.first_ns, self.last_ns = span

    def messages(
        self, topics: Sequence[str], start_ns: int, end_ns: int
    ) -> Generator[tuple[str, int, bytes], None, None]:
        """Topic, time of recording [ns] and serialised message, of today's definition, of all from `start_ns` to `end_ns`, in order.

        May be used by any one thread: it opens the bag for itself.
        """
        with Bag(self._path, self._damaged) as bag:
            for message in bag.messages(topics):
                if message.log_ns > end_ns:
                    break
                if message.log_ns >= start_ns:
                    data, topic = bytes(message.data), self.topics[message.topic]
                    if is_old(topic.kind, topic.definition):
                        data = present_data(topic.kind, topic.definition, data)
                    yield message.topic, message.log_ns, data


@contextmanager
def open_bag(path: Path, damaged: str = "refuse") -> Iterator[Source]:
    """Open any rosbag2 recording; `damaged`: refuse or skip what cannot be read. Raises BagError, or ReplayError when it is empty."""
    with Bag(path, damaged) as bag:
        yield Source(bag, damaged)


def ahead(messages: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """The same, read by a thread of its own ahead of need: a chunk that is decompressed makes no message late."""
    waiting: queue.Queue[Any] = queue.Queue(AHEAD)
    done, stopped = object(), threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            with closing(messages):
                for message in messages:
                    if not put(message):
                        return
            put(done)
        except Exception as error:  # the replaying thread must hear of it
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not done:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


def message_class(topic: RecordedTopic, store: Typestore) -> type:
    """The installed class of a topic's messages; raises ReplayError where it is missing or defined otherwise."""
    package, _, name = topic.kind.partition("/msg/")
    try:
        found = getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError):
        raise ReplayError(f"{topic.name}: the type {topic.kind} is not installed") from None
    if is_old(topic.kind, topic.definition):  # is published as one of today
        return found
    if topic.digest and topic.kind in store.fielddefs and store.hash_rihs01(topic.kind) != topic.digest:
        raise ReplayError(
            f"{topic.name}: the type {topic.kind} was recorded with another definition than the installed one"
        )
    return found


def publisher_qos(offered: Sequence[Qos], reliability: str = "recorded") -> QoSProfile:
    """What to offer for a topic that was recorded with these: of several, what every subscriber of any of them accepts.

    Without any: reliable, of depth 10. `reliability`: recorded, reliable or best_effort.
    """
    reliable = not offered or any(each.reliability is not QosReliability.BEST_EFFORT for each in offered)
    if reliability != "recorded":
        reliable = reliability == "reliable"
    latched = any(each.durability is QosDurability.TRANSIENT_LOCAL for each in offered)
    keep_all = any(each.history is QosHistory.KEEP_ALL for each in offered)
    profile = QoSProfile(
        depth=max([each.depth for each in offered if each.depth < 10_000] or [10]) or 10,
        history=HistoryPolicy.KEEP_ALL if keep_all else HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
    for name in ("deadline", "lifespan"):
        values = {getattr(each, name) for each in offered}
        if len(values) == 1 and 0 < (seconds := (value := values.pop()).sec + value.nsec / 1e9) < INFINITE_S:
            setattr(profile, name, Duration(nanoseconds=round(seconds * 1e9)))
    return profile
