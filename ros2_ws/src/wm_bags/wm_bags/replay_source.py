"""The bag that is replayed: topics with their types and offered QoS, and messages as bytes in recorded order."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosReliability
from rosbags.typesys.store import Typestore

from wm_bags.replay_choice import ReplayError
from wm_core.bags import typestore

AHEAD = 200  # messages read ahead of the one that is due
INFINITE_S = 9_000_000_000  # rosbag2 writes 9223372036.854775807 s for "no limit"


@dataclass(frozen=True)
class RecordedTopic:
    """One topic of a bag."""

    name: str
    kind: str  # e.g. sensor_msgs/msg/Image
    digest: str  # of the definition it was recorded with; empty: not known
    offered: tuple[Qos, ...]
    count: int


class Bag:
    """An open bag."""

    def __init__(self, reader: AnyReader) -> None:
        self._reader = reader
        self.topics = {
            name: RecordedTopic(
                name,
                info.msgtype or "",
                next((each.digest for each in info.connections if each.digest), ""),
                tuple(qos for each in info.connections for qos in each.ext.offered_qos_profiles),  # type: ignore[union-attr]
                info.msgcount,
            )
            for name, info in reader.topics.items()
        }
        self.first_ns, self.last_ns = (
            reader.start_time,
            reader.end_time - 1,
        )  # the reader's end is past the last message

    def messages(self, topics: Sequence[str], start_ns: int, end_ns: int) -> Iterator[tuple[str, int, bytes]]:
        """Topic, time of recording [ns] and serialised message of all messages from `start_ns` to `end_ns`, in order."""
        chosen = [each for each in self._reader.connections if each.topic in topics]
        for connection, stamp_ns, data in self._reader.messages(chosen, start_ns, end_ns + 1):
            yield connection.topic, stamp_ns, bytes(data)


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """Open a rosbag2 folder of any storage; raises ReplayError when it cannot be read or holds nothing."""
    if not path.exists() or path.suffix == ".bag":
        raise ReplayError(
            f"expected a rosbag2 folder, {path} {'is a ROS 1 bag' if path.exists() else 'does not exist'}"
        )
    try:
        with AnyReader([path], default_typestore=typestore()) as reader:
            if not reader.message_count:
                raise ReplayError(f"{path}: expected messages, the bag is empty")
            yield Bag(reader)
    except (AnyReaderError, OSError) as error:
        raise ReplayError(f"{path}: expected a bag that can be read: {error}") from error


def ahead(messages: Iterator[Any]) -> Iterator[Any]:
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
