"""Opens any rosbag2 recording: MCAP or sqlite3, compressed or not, split or not, with metadata.yaml or without.

One message is held at a time (of MCAP, two chunks), so a bag may be larger than memory. What was recorded comes back in the
order of the recording.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import zstandard

from wm_bags.storage.bag_types import TypesOfBag
from wm_bags.storage.contents import MAGIC_OF_ZSTD, Found, Topic
from wm_bags.storage.errors import BagError, in_words, opened
from wm_bags.storage.files import ZSTD, gaps, is_storage, number, plain_name
from wm_bags.storage.metadata import Metadata, read_metadata
from wm_bags.storage.reading_mcap import McapStorage
from wm_bags.storage.reading_sqlite import SqliteStorage

STORAGES: dict[str, type[McapStorage] | type[SqliteStorage]] = {".mcap": McapStorage, ".db3": SqliteStorage}
SERVICE_EVENTS = "/_service_event"
DAMAGED = ("refuse", "skip")


class Message(NamedTuple):
    """A message as it was recorded."""

    topic: str
    type: str
    log_ns: int  # when it was received
    data: bytes  # CDR
    file: Path
    place: str  # in the file: a byte offset, or a row
    sent_ns: int | None = None  # when it was sent, by the sender's clock; None where the storage does not say


class Bag:
    """An open recording. `notes`: what was not as it should be and could be helped, and what was left out; `whole`: nothing
    had to be helped.

    With `damaged` = "skip" everything before and behind damage is read, and `notes` say what was left out; with "refuse" the
    first damage raises BagError. A recording that was killed, and so has no index, is no damage: it is read to its last
    complete chunk.
    """

    def __init__(self, path: Path, damaged: str = "refuse") -> None:
        """Open a folder or one file; raises BagError naming it, what was expected, what came and what to do."""
        if damaged not in DAMAGED:
            raise ValueError(f"expected damaged = {' or '.join(DAMAGED)}, got {damaged!r}")
        self.path = Path(path)
        self.notes: list[str] = []
        self.whole = True
        self._skip = damaged == "skip"
        self._stack = ExitStack()
        try:
            with opened(self.path):
                self._open()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> "Bag":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Message]:
        """Messages of these topics (without: of all but service events), in order; raises BagError at damage."""
        wanted = set(self.topics) if topics is None else set(topics) & set(self.topics)
        for topic in wanted:
            self._check_format(topic)
        for storage in self._storages:
            counts: Counter[str] = Counter()
            for found in storage.messages(wanted, counts):
                if found.problem:
                    self._damage(storage.file, found)
                    continue
                data = found.data
                if data[:4] == MAGIC_OF_ZSTD:  # compressed message by message
                    data = self._decompressed(storage.file, found)
                kind = self.topics[found.topic].type
                yield Message(found.topic, kind, found.log_ns, data, storage.file, found.place, found.sent_ns)
            self._check_count(storage.file, counts)

    def span(self) -> tuple[int, int] | None:
        """When the first and the last message were received [ns]; None of an empty bag."""
        first = next(self.messages(), None)
        if first is None:
            return None
        if self._metadata.messages == sum(topic.messages for topic in self.topics.values()):
            return first.log_ns, first.log_ns + self._metadata.duration_ns
        return first.log_ns, max(message.log_ns for message in self.messages())  # nobody says how long it is

    def deserialize(self, message: Message) -> Any:
        """The message's content; raises BagError when its bytes are not what its type says, or the type is not known."""
        where = f"{message.file}: {message.topic} at {message.log_ns / 1e9:.3f} s ({message.place})"
        if problem := self._types.problem(message.type):
            raise BagError(f"{where}: expected a {message.type} that can be read: {problem}; leave the topic out")
        try:
            content = self._types.deserialize(message.data, message.type)
        except Exception as error:  # rosbags raises many kinds for bytes that do not fit
            raise BagError(
                f"{where}: expected a {message.type}, got {len(message.data)} bytes that are none ({in_words(error)});"
                " record it again, or leave the topic out"
            ) from error
        while self._types.notes:
            self._helped(self._types.notes.pop())
        return content

    def problem_of(self, topic: str) -> str:
        """Why messages of a topic cannot be read; empty where they can."""
        return self._types.problem(self.topics[topic].type)

    # -- opening -------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if not self.path.exists():
            raise BagError(f"{self.path}: expected a rosbag2 folder or file, got nothing; check the name")
        metadata, files = self._files()
        self._metadata = metadata
        self.distro, self.version = metadata.distro, metadata.version
        self.files = files
        kinds = {Path(plain_name(file)).suffix for file in files}
        if len(kinds) != 1 or not kinds <= set(STORAGES):
            raise BagError(
                f"{self.path}: expected files of one storage, MCAP (.mcap) or sqlite3 (.db3), got {sorted(kinds)}"
            )
        self.storage = {".mcap": "mcap", ".db3": "sqlite3"}[kinds.pop()]
        self._storages = [self._storage(file) for file in files]
        self._describe()

    def _files(self) -> tuple[Metadata, list[Path]]:
        """metadata.yaml, if there is one, and the files in order."""
        if self.path.is_file():
            if self.path.suffix == ".bag":
                raise BagError(
                    f"{self.path}: expected a rosbag2 recording, got one of ROS 1; convert it: rosbags-convert"
                )
            self._helped("one file, without the metadata.yaml of its folder")
            return Metadata(), [self.path]
        metadata = read_metadata(self.path)
        present = sorted((file for file in self.path.iterdir() if is_storage(file)), key=number)
        if metadata is None:
            if not present:
                inside = [child.name for child in sorted(self.path.iterdir()) if is_bag(child)]
                raise BagError(
                    f"{self.path}: expected a rosbag2 folder, got no metadata.yaml and no .mcap or .db3 file in it"
                    + (f"; it holds bags: {', '.join(inside[:5])}" if inside else "")
                )
            self._helped("without metadata.yaml: read from the files themselves")
            if absent := gaps(present):
                self._missing([f"number {gap} of the split" for gap in absent])
            return Metadata(), self._once(present)
        files = [self.path / PurePath(name).name for name in metadata.files]
        if missing := [file for file in files if not file.exists()]:
            self._missing([str(file) for file in missing])
        return metadata, [file for file in files if file.exists()]

    def _once(self, present: list[Path]) -> list[Path]:
        """Without copies: whoever is killed while he compresses or unpacks a file leaves it behind in both forms."""
        names = {file.name for file in present}
        copies = [file for file in present if file.suffix == ZSTD and plain_name(file) in names]
        self._helped(*(f"{file.name}: a compressed copy of what is beside it, left out" for file in copies))
        return [file for file in present if file not in copies]

    def _missing(self, what: list[str]) -> None:
        problem = f"expected all files of the split recording, {', '.join(what)} is missing"
        if not self._skip:
            raise BagError(f"{self.path}: {problem}; copy it there, or read what is left with --damaged skip")
        self._helped(problem)

    def _storage(self, file: Path) -> McapStorage | SqliteStorage:
        plain = file
        if file.suffix == ZSTD:  # compressed as a whole
            folder = self._stack.enter_context(TemporaryDirectory(prefix="wm-bag-"))
            plain = Path(folder) / file.stem
            with file.open("rb") as source, plain.open("wb") as target:
                try:
                    zstandard.ZstdDecompressor().copy_stream(source, target)
                except zstandard.ZstdError as error:
                    self._damage(file, Found(place=f"byte {source.tell()}", problem=f"no zstd there: {error}"))
        storage = STORAGES[plain.suffix](file, plain, self._skip)
        self._stack.callback(storage.close)
        return storage

    def _describe(self) -> None:
        """Topics and types, from the files; what no file says, from metadata.yaml."""
        topics: dict[str, Topic] = {}
        for storage in self._storages:
            self._helped(*storage.notes)
            for name, topic in storage.topics.items():
                known = topics.setdefault(name, topic)
                if known.type != topic.type:
                    raise BagError(f"{storage.file}: {name}: expected {known.type} as before, got {topic.type}")
                if topic is not known:
                    topics[name] = known._replace(messages=known.messages + topic.messages)
        for name, promised in self._metadata.topics.items():
            topic = topics.get(name, promised)
            topics[name] = topic._replace(
                form=promised.form, digest=promised.digest or topic.digest, offered_qos=promised.offered_qos
            )
        services = [name for name in topics if name.endswith(SERVICE_EVENTS)]
        if services:
            self.notes.append(f"events of {len(services)} services, left out")
        self.topics = {name: topic for name, topic in sorted(topics.items()) if name not in services}
        self._types = TypesOfBag(self.topics.values())

    def _helped(self, *notes: str) -> None:
        self.notes += notes
        self.whole = self.whole and not notes

    # -- checks --------------------------------------------------------------------------------------------------

    def _check_format(self, topic: str) -> None:
        form = self.topics[topic].form
        if form != "cdr":
            raise BagError(
                f"{self.path}: {topic}: expected the serialisation format cdr, got {form!r}; convert it: ros2 bag convert"
            )

    def _damage(self, file: Path, found: Found) -> None:
        if found.tail and found.counted >= self._metadata.per_file.get(file.name, 0):
            self._helped(f"{file.name}: the recording was cut off at {found.place}: read up to there")
            return
        problem = f"damaged at {found.place}: {found.problem}"
        if not self._skip:
            raise BagError(
                f"{file}: {problem}; copy it again, mend it: ./wm bag repair {file.parent}, or read the rest with --damaged skip"
            )
        self._helped(f"{file.name}: {problem}: left out")

    def _check_count(self, file: Path, counts: Counter[str]) -> None:
        promised, got = self._metadata.per_file.get(file.name), counts.total()
        if promised is not None and got < promised:
            self._damage(
                file, Found(place="the end", problem=f"expected {promised} messages as metadata.yaml says, got {got}")
            )

    def _decompressed(self, file: Path, found: Found) -> bytes:
        try:
            return zstandard.ZstdDecompressor().decompressobj().decompress(found.data)
        except zstandard.ZstdError as error:
            raise BagError(
                f"{file}: {found.topic} at {found.log_ns / 1e9:.3f} s ({found.place}): expected a message compressed by zstd,"
                f" got other bytes ({error})"
            ) from error


def is_bag(path: Path) -> bool:
    """Whether a path looks like a recording: a folder with metadata.yaml or files of a storage, or such a file."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or any(is_storage(file) for file in path.iterdir())
    return path.is_file() and is_storage(path)
