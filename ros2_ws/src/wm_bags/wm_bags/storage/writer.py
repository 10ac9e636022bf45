"""Writes a rosbag2 bag: a folder of MCAP files with metadata.yaml, readable up to its last chunk whenever the writer dies."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_bags.storage.mcap_file import COMPRESSIONS, McapFile
from wm_bags.storage.metadata import FileInfo, Topic, bag_information, dump, write_metadata

METADATA_S = 10.0  # between two renewals of metadata.yaml


class WriteError(OSError):
    """A bag that cannot be written on: says which file, how much of it is safe and why."""


@dataclass(frozen=True)
class Storage:
    """How a bag is stored. Splits at `max_bytes` of a file or `max_s` of log time in it; 0: not."""

    compression: str = "none"
    max_bytes: int = 0
    max_s: float = 0.0
    chunk_bytes: int = 4 << 20
    flush_s: float = 0.5  # a message waits no longer for its chunk
    custom: dict[str, str] = field(default_factory=dict)  # custom_data of metadata.yaml

    def __post_init__(self) -> None:
        if self.compression not in COMPRESSIONS:
            raise ValueError(f"expected a compression of {', '.join(COMPRESSIONS)}, got {self.compression!r}")
        if self.max_bytes < 0 or self.max_s < 0:
            raise ValueError(f"expected sizes and durations from 0 on, got {self.max_bytes} bytes, {self.max_s} s")


class BagWriter:
    """A new bag; used by one thread. Raises WriteError when the disk does not take it: what was written stays readable."""

    def __init__(self, folder: Path, storage: Storage = Storage()) -> None:
        """Create `folder`, which must not exist, with its first file and metadata.yaml."""
        self.folder, self._storage = Path(folder), storage
        self._topics: dict[str, Topic] = {}
        self._counts: dict[str, int] = {}  # of finished files
        self._files: list[FileInfo] = []
        self._file: McapFile | None = None
        self._closed = False
        self._finished_bytes = self._given = 0
        if self.folder.exists():
            raise WriteError(f"expected a new folder, {self.folder} exists; recordings are never overwritten")
        try:
            self.folder.mkdir(parents=True)
            try:
                self._open()
                self._write_metadata()
            except OSError:
                shutil.rmtree(self.folder, ignore_errors=True)  # made here, and nothing is in it yet
                raise
        except OSError as error:
            raise WriteError(f"cannot record into {self.folder}: {error.strerror or error}") from error

    @property
    def messages(self) -> int:
        """In whole chunks. Like the other counts, another thread may ask for it."""
        file = self._file
        return sum(file.messages for file in self._files) + (file.index.messages if file else 0)

    @property
    def dropped(self) -> int:
        """Messages given to a closed bag that could not be written."""
        return self._given - self.messages if self._closed else 0

    @property
    def size(self) -> int:
        """[bytes] on the disk."""
        file = self._file
        return self._finished_bytes + (file.size if file else 0)

    @property
    def topics(self) -> tuple[Topic, ...]:
        return tuple(self._topics.values())

    def add_topic(self, topic: Topic) -> None:
        """Messages of a topic may follow. A topic keeps the QoS profiles that it came with, as in rosbag2: readers tell
        topics apart by them."""
        known = self._topics.setdefault(topic.name, topic)
        if known.definition.type != topic.definition.type:
            raise ValueError(f"{topic.name}: expected {known.definition.type}, got {topic.definition.type}")
        if topic.name not in self._channels:
            self._do(self._add_channel, topic)

    def write(self, topic: str, data: bytes | memoryview, log_ns: int, publish_ns: int) -> None:
        """Take a serialised message (CDR); it is in a whole chunk after at most `flush_s` of further calls of
        `write` or `tick`. Times [ns]: when it was received, and when it was published."""
        self._given += 1
        self._do(self._append, topic, data, log_ns, publish_ns)

    def tick(self) -> None:
        """Call at least every `flush_s`, also while nothing comes: completes the chunk and metadata.yaml in time."""
        self._do(self._flush_due)

    def flush(self) -> None:
        """Complete the chunk."""
        self._do(lambda: self._open_file.flush())

    def close(self) -> None:
        """Finish the bag; also after a WriteError, then without what waits."""
        if self._closed:
            return
        try:
            if self._file is not None:
                self._finish_file()
            self._write_metadata()
        except OSError as error:
            failure = self._error(error)
            self._abandon()
            raise failure from error
        finally:
            self._closed = True

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _open_file(self) -> McapFile:
        if self._file is None:
            raise ValueError(f"{self.folder}: the bag is closed")
        return self._file

    def _do(self, action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> WriteError:
        if isinstance(error, WriteError):
            return error
        file = self._file
        where = f"{file.path}: the first {file.size} bytes are safe, then" if file else f"{self.folder}:"
        free = ""
        with suppress(OSError):
            free = f" ({shutil.disk_usage(self.folder).free / 1e6:.0f} MB free)"
        return WriteError(error.errno, f"{where} {error.strerror or error}{free}")

    def _open(self) -> None:
        self._channels: dict[str, int] = {}
        self._first_ns = -1  # log time of its first message
        self._file = McapFile(self.folder / f"{self.folder.name}_{len(self._files)}.mcap", self._storage.compression)
        for topic in self._topics.values():
            self._add_channel(topic)

    def _add_channel(self, topic: Topic) -> None:
        file, definition = self._open_file, topic.definition
        schema = file.schema(definition.type, definition.encoding, definition.text)
        self._channels[topic.name] = file.channel(topic.name, schema, topic.channel_metadata())

    def _append(self, topic: str, data: bytes | memoryview, log_ns: int, publish_ns: int) -> None:
        file, storage = self._open_file, self._storage
        full = 0 < storage.max_bytes <= file.size + file.pending + len(data)
        long = self._first_ns >= 0 and 0 < storage.max_s * 1e9 <= log_ns - self._first_ns
        if self._first_ns >= 0 and (full or long):
            self._finish_file()
            self._open()
            self._write_metadata()
            file = self._open_file
        if self._first_ns < 0:
            self._first_ns = log_ns
        file.append(self._channels[topic], data, log_ns, publish_ns)
        self._flush_due()

    def _flush_due(self) -> None:
        file = self._open_file
        if file.pending >= self._storage.chunk_bytes or file.pending_s >= self._storage.flush_s:
            file.flush()
        if time.monotonic() - self._metadata_at >= METADATA_S:
            self._write_metadata()

    def _finish_file(self) -> None:
        file = self._open_file
        file.flush()
        file.close({"serialized_metadata": dump(self._information())})
        self._retire()

    def _abandon(self) -> None:
        """Finish the bag with what is written.

        A file that cannot even take its index ends after its last whole chunk, as after a crash.
        """
        if self._file is not None:
            self._file.drop_pending()
            with suppress(OSError):
                self._finish_file()
        if self._file is not None:
            self._retire()
        with suppress(OSError):  # the one of the last renewal stays; `repair` brings it up to date
            self._write_metadata()

    def _retire(self) -> None:
        """The open file is written no more."""
        file, self._file = self._open_file, None
        file.abandon()
        self._files.append(_info(file))
        self._finished_bytes += file.size
        for topic, channel in self._channels.items():
            self._counts[topic] = self._counts.get(topic, 0) + file.index.counts.get(channel, 0)

    def _information(self) -> dict[str, Any]:
        files, counts, file = list(self._files), dict(self._counts), self._file
        if file is not None:
            files.append(_info(file))
            for topic, channel in self._channels.items():
                counts[topic] = counts.get(topic, 0) + file.index.counts.get(channel, 0)
        topics = [(topic, counts.get(name, 0)) for name, topic in self._topics.items()]
        return bag_information(topics, files, self._storage.custom)

    def _write_metadata(self) -> None:
        self._metadata_at = time.monotonic()
        write_metadata(self.folder, self._information())


def _info(file: McapFile) -> FileInfo:
    index = file.index
    return FileInfo(file.path.name, index.start_ns, index.end_ns, index.messages)
