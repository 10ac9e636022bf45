"""The last seconds of everything in memory, written when something happens: with what came before it, and what follows."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter, Storage

NS = 1_000_000_000
LATCHED = 100  # latched messages of one topic that are kept: one for each of its publishers, and more
Entry = tuple[Topic, bytes, int, int]  # topic, data, log time and publish time [ns]


class Ring:
    """The newest messages, at most `seconds` of them and `max_bytes`; those of latched topics always."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        if seconds <= 0 or max_bytes <= 0:
            raise ValueError(f"expected more than 0 s and 0 bytes to keep, got {seconds} s and {max_bytes} bytes")
        self._span_ns, self._max_bytes = int(seconds * NS), max_bytes
        self._entries: deque[Entry] = deque()
        self._latched: dict[str, deque[Entry]] = {}
        self.bytes = 0

    def push(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.bytes += len(entry[1])
        while self.bytes > self._max_bytes or entry[2] - self._entries[0][2] > self._span_ns:
            oldest = self._entries.popleft()
            self.bytes -= len(oldest[1])
            self.remember(oldest)
            if not self._entries:
                return

    def remember(self, entry: Entry) -> None:
        """Keep what late joiners would get."""
        if entry[0].latched:
            self._latched.setdefault(entry[0].name, deque(maxlen=LATCHED)).append(entry)

    def drain(self) -> Iterator[Entry]:
        """All that is kept, oldest first; latched messages stay for the next time.

        Older latched messages come at the time of the first that follows: a player would wait in the gap.
        """
        if self._entries:
            start_ns = self._entries[0][2]
            latched = [entry for entries in self._latched.values() for entry in entries]
            for topic, data, _, publish_ns in sorted(latched, key=lambda entry: entry[2]):
                yield topic, data, start_ns, publish_ns
        while self._entries:
            entry = self._entries.popleft()
            self.bytes -= len(entry[1])
            self.remember(entry)
            yield entry


class Snapshots:
    """Writes a bag for each event, from `before_s` before it to `after_s` after the last trigger of it.

    The bags are folders under `folder`, named by the local time of their event.
    """

    def __init__(self, folder: Path, storage: Storage, before_s: float, after_s: float, max_bytes: int) -> None:
        if after_s < 0:
            raise ValueError(f"expected 0 s or more after a trigger, got {after_s}")
        self._folder, self._storage, self._after_ns = Path(folder), storage, int(after_s * NS)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._ring = Ring(before_s, max_bytes)
        self._writer: BagWriter | None = None
        self._until_ns = 0
        self._messages = self._bytes = self._dropped = 0  # of finished bags

    @property
    def folder(self) -> Path | None:
        """The bag that is being written."""
        writer = self._writer  # another thread may ask for this
        return writer.folder if writer else None

    @property
    def disk(self) -> Path:
        return self._folder

    @property
    def messages(self) -> int:
        writer = self._writer
        return self._messages + (writer.messages if writer else 0)

    @property
    def size(self) -> int:
        writer = self._writer
        return self._bytes + (writer.size if writer else 0)

    @property
    def dropped(self) -> int:
        return self._dropped

    def announce(self, topic: Topic) -> None:
        """Nothing to do: the bag gets a topic with its first message."""

    def write(self, topic: Topic, data: bytes, log_ns: int, publish_ns: int) -> None:
        if self._writer is None:
            self._ring.push((topic, data, log_ns, publish_ns))
        else:
            entry = topic, data, log_ns, publish_ns
            self._ring.remember(entry)
            self._put(self._writer, entry)

    def trigger(self, now_ns: int, reason: str) -> None:
        """Something happened: begin a bag, or go on with it for longer."""
        self._until_ns = now_ns + self._after_ns
        if self._writer is not None:
            return
        name = datetime.fromtimestamp(now_ns / NS).strftime("%Y_%m_%d-%H_%M_%S_%f")[:-3]
        custom = {**self._storage.custom, "trigger": reason}
        self._writer = BagWriter(self._folder / name, replace(self._storage, custom=custom))
        for entry in self._ring.drain():
            self._put(self._writer, entry)

    def tick(self, now_ns: int) -> None:
        if self._writer is None:
            return
        if now_ns > self._until_ns:
            self.close()
        else:
            self._writer.tick()

    def close(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            writer.close()
        finally:
            self._messages += writer.messages
            self._bytes += writer.size
            self._dropped += writer.dropped

    @staticmethod
    def _put(writer: BagWriter, entry: Entry) -> None:
        topic, data, log_ns, publish_ns = entry
        writer.add_topic(topic)
        writer.write(topic.name, data, log_ns, publish_ns)
