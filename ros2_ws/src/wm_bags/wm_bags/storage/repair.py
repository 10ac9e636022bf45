"""Makes a bag whole again after a crash or damage: index, checksums and metadata.yaml up to the last complete chunk.

The original of a file stays until its repaired copy is complete, and the bytes that could not be used stay beside it.
"""

import mmap
import os
import re
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mcap.opcode import Opcode
from mcap.records import Channel

from wm_bags.storage.definitions import Definition
from wm_bags.storage.errors import BagError
from wm_bags.storage.mcap_file import Index, McapFile, lock
from wm_bags.storage.mcap_scan import DESCRIPTIONS, Chunk, DamageError, Found, described, has_footer, scan
from wm_bags.storage.metadata import FILE, VERSION, FileInfo, Topic, bag_information, write_metadata

CUT = ".cut"  # suffix of the file with what could not be used


@dataclass(frozen=True)
class Damage:
    """Bytes `start` to `end` of a file that cannot be read, and why."""

    start: int
    end: int
    problem: str


@dataclass
class FileState:
    """What is in a file of a bag. `whole`: nothing has to be done to it."""

    path: Path
    size: int
    index: Index = field(default_factory=Index)
    damages: list[Damage] = field(default_factory=list)
    ended: bool = False  # by an index whose checksum is right
    described: dict[tuple[int, int], Found] = field(
        default_factory=dict
    )  # see mcap_scan.described; empty: nothing to mend

    @property
    def whole(self) -> bool:
        return self.ended and not self.damages

    @property
    def info(self) -> FileInfo:
        return FileInfo(self.path.name, self.index.start_ns, self.index.end_ns, self.index.messages)

    def describe(self) -> str:
        """In a line or more: what there is, and at which bytes it is damaged."""
        kept = f"{self.path.name}: {self.index.messages} messages in {self.size} bytes"
        if self.whole:
            return f"{kept}, whole"
        lines = [f"{kept}, {'damaged' if self.damages else 'without its index'}"]
        lines += [f"  bytes {d.start} to {d.end} ({d.end - d.start}): {d.problem}" for d in self.damages]
        return "\n".join(lines)


@dataclass(frozen=True)
class Repair:
    """What was done to a bag: files as they were found, and whether metadata.yaml was written anew."""

    folder: Path
    files: list[FileState]
    metadata: bool

    def describe(self) -> str:
        lines = [file.describe() for file in self.files]
        for file in self.files:
            if not file.whole:
                cut = sum(damage.end - damage.start for damage in file.damages)
                lines.append(
                    f"{file.path.name}: repaired, {file.index.messages} messages kept"
                    + (f", {cut} bytes put aside in {file.path.name}{CUT}" if cut else "")
                )
        lines.append(f"{FILE}: {'written anew' if self.metadata else 'right as it is'}")
        return "\n".join(lines)


def inspect(path: Path) -> FileState:
    """Read a whole MCAP file; raises BagError when it is none."""
    state = FileState(path, path.stat().st_size)
    chunk: Chunk | None = None
    with _mapped(path) as data:
        known = described(data)
        for found in known.values():
            _take(state.index, found)
        unread = set(known)
        for found in _scan(path, data):
            chunk = found.content if isinstance(found.content, Chunk) else chunk
            problem = found.problem
            if not problem and not _take(state.index, found):
                problem = "its messages are on channels that nothing before it describes"
            if found.opcode == Opcode.MESSAGE_INDEX and not _indexes(chunk, found.content):
                problem = "an index of messages that the chunk before it does not hold"
            if known and not problem and found.opcode in DESCRIPTIONS:
                key = (found.opcode, found.content.id)
                if key in known and known[key].content == found.content:
                    unread.discard(key)
                else:
                    problem = f"a {Opcode(found.opcode).name.lower()} that is not the one of the file's index"
            if problem:
                state.damages.append(Damage(found.start, found.end, problem))
            elif found.opcode == Opcode.DATA_END:
                state.ended = has_footer(data, found.end)
    state.described = known if unread else {}
    return state


def repair(folder: Path) -> Repair:
    """Repair what needs it in a bag of MCAP files; raises BagError, and OSError with everything as it was."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BagError(f"{folder}: expected a bag's folder, got {'a file' if folder.exists() else 'nothing'}")
    paths = sorted(folder.glob("*.mcap"), key=_number)
    if not paths:
        raise BagError(f"{folder}: expected .mcap files, got none; sqlite3 is repaired by 'ros2 bag reindex'")
    with ExitStack() as locks:
        for path in paths:
            locks.enter_context(_locked(path))
        files = [inspect(path) for path in paths]
        for file in files:
            if not file.whole:
                _rewrite(file)
        before = _read_metadata(folder)
        information = _information(files, before)
        changed = before != information
        if changed:
            write_metadata(folder, information)
    return Repair(folder, files, changed)


# -- one file ----------------------------------------------------------------------------------------------------


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody writes the file meanwhile: what a recorder adds to a file that was replaced would be lost."""
    writable = os.access(path, os.W_OK)  # NFS locks only what is open to be written
    with open(path, "rb+" if writable else "rb") as stream:
        try:
            lock(stream.fileno())
        except BlockingIOError as error:
            raise BagError(f"{path}: is being recorded or repaired; end the recording first") from error
        yield


@contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size == 0:
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _scan(path: Path, data: Any) -> Iterator[Found]:
    try:
        yield from scan(data)
    except DamageError as error:
        raise BagError(f"{path}: {error}") from error


def _take(index: Index, found: Found) -> bool:
    """Add a record to the index; False when its messages belong to no known channel."""
    content = found.content
    if found.opcode == Opcode.SCHEMA:
        index.schemas[content.id] = content
    elif found.opcode == Opcode.CHANNEL:
        index.channels[content.id] = content
    elif isinstance(content, Chunk):
        if not set(content.messages) <= set(index.channels) | set(content.channels):
            return False
        index.schemas |= content.schemas
        index.channels |= content.channels
        for channel, entries in content.messages.items():
            times = [log_ns for log_ns, _ in entries]
            index.count(channel, len(entries), min(times), max(times))
    elif found.opcode == Opcode.MESSAGE:
        channel, _, log_ns = struct.unpack_from("<HIQ", content)
        if channel not in index.channels:
            return False
        index.count(channel, 1, log_ns, log_ns)
    return True


def _indexes(chunk: Chunk | None, content: bytes) -> bool:
    """Whether a message index is that of one channel of the chunk."""
    if chunk is None or len(content) < 6:
        return False
    channel, length = struct.unpack_from("<HI", content)
    if length != len(content) - 6 or length % 16:
        return False
    entries = struct.iter_unpack("<QQ", content[6:])
    return sorted(entries) == sorted(chunk.messages.get(channel, []))


def _rewrite(state: FileState) -> None:
    """Replace a file by its repaired copy; what is cut out stays beside it. Raises OSError with all as it was."""
    path = state.path
    cut = path.with_name(path.name + CUT)
    part, cut_part = (each.with_name(f".{each.name}.part") for each in (path, cut))
    part.unlink(missing_ok=True)
    damages = {damage.start for damage in state.damages}
    try:
        file = McapFile(part)
        with _mapped(path) as data, open(cut_part, "wb") as aside:
            if cut.exists():
                aside.write(cut.read_bytes())
            for each in state.described.values():  # before all data that they describe
                _copy(file, each, data)
            for found in _scan(path, data):
                if found.start in damages:
                    aside.write(data[found.start : found.end])
                elif found.opcode not in DESCRIPTIONS or not state.described:
                    _copy(file, found, data)
        file.close()
        for written in (part, cut_part):
            _to_disk(written)
        if damages:
            os.replace(cut_part, cut)
        os.replace(part, path)
    finally:
        for left in (part, cut_part):
            left.unlink(missing_ok=True)
    state.index = file.index


def _to_disk(path: Path) -> None:
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())


def _copy(file: McapFile, found: Found, data: Any) -> None:
    """Copy a record that is not made anew: message indexes and everything behind the data are."""
    content = found.content
    if isinstance(content, Chunk):
        file.index.schemas |= content.schemas
        file.index.channels |= content.channels
        file.add_chunk(content.head, content.compression, [content.stored], content.messages)
    elif found.opcode not in (Opcode.HEADER, Opcode.MESSAGE_INDEX, Opcode.DATA_END):
        file.add_record(data[found.start : found.end], found.opcode, content)


# -- metadata.yaml -----------------------------------------------------------------------------------------------


def _number(path: Path) -> tuple[int, str]:
    """BAG_10.mcap comes after BAG_9.mcap."""
    number = re.search(r"_(\d+)$", path.stem)
    return (int(number[1]) if number else -1), path.name


def _read_metadata(folder: Path) -> dict[str, Any]:
    """What metadata.yaml says, or nothing where it cannot be read."""
    try:
        content = yaml.safe_load((folder / FILE).read_text())
        return dict(content["rosbag2_bagfile_information"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}


def _information(files: list[FileState], before: dict[str, Any]) -> dict[str, Any]:
    """metadata.yaml from the files; what only the old one knows is kept, such as topics without messages."""
    topics, counts = _known_topics(before), dict.fromkeys(_known_topics(before), 0)
    described: set[str] = set()
    for file in files:
        for channel in file.index.channels.values():
            schema = file.index.schemas.get(channel.schema_id)
            definition = Definition(schema.name if schema else "", hash=channel.metadata.get("topic_type_hash", ""))
            if channel.topic not in described:  # its profiles must be those of the files: rosbags compares them
                described.add(channel.topic)
                topics[channel.topic] = Topic(channel.topic, definition, _profiles(channel))
            counts[channel.topic] = counts.get(channel.topic, 0) + file.index.counts.get(channel.id, 0)
    information = bag_information(
        [(topic, counts[name]) for name, topic in topics.items()],
        [file.info for file in files],
        before.get("custom_data") or {},
    )
    return information | {"ros_distro": before.get("ros_distro") or information["ros_distro"]}


def _profiles(channel: Channel) -> list[dict[str, Any]]:
    """QoS profiles of a channel; none where they are not YAML."""
    try:
        profiles = yaml.safe_load(channel.metadata.get("offered_qos_profiles", ""))
    except yaml.YAMLError:
        return []
    return profiles if isinstance(profiles, list) else []


def _known_topics(before: dict[str, Any]) -> dict[str, Topic]:
    """Topics of the old metadata.yaml, by name; none where it is damaged, or older than version 9."""
    try:
        entries = [
            entry["topic_metadata"] for entry in before["topics_with_message_count"] if before["version"] == VERSION
        ]
        return {
            entry["name"]: Topic(
                entry["name"],
                Definition(entry["type"], hash=entry["type_description_hash"]),
                list(entry["offered_qos_profiles"]),
            )
            for entry in entries
        }
    except (KeyError, TypeError):
        return {}
