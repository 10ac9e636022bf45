"""Makes one file of a bag whole again after a crash or damage: its index and checksums up to the last complete chunk.

The original of a file stays until its repaired copy is complete, and the bytes that could not be used stay beside it.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcap.opcode import Opcode

from wm_bags.storage.contents import MAGIC_OF_ZSTD
from wm_bags.storage.errors import BagError
from wm_bags.storage.files import ZSTD
from wm_bags.storage.mcap_file import MESSAGE, MESSAGE_BYTES, Index, McapFile
from wm_bags.storage.mcap_scan import DESCRIPTIONS, Chunk, DamageError, Found, described, has_footer, scan
from wm_bags.storage.metadata import FileInfo
from wm_bags.storage.packing import CUT, pack, to_disk, unpacked


@dataclass(frozen=True)
class Damage:
    """Bytes `start` to `end` of a file that cannot be read, and why."""

    start: int
    end: int
    problem: str


@dataclass
class FileState:
    """What is in a file of a bag. `whole`: nothing has to be done to it; `packed`: it is compressed as a whole."""

    path: Path
    size: int
    index: Index = field(default_factory=Index)
    damages: list[Damage] = field(default_factory=list)
    ended: bool = False  # by an index whose checksum is right
    compressed_messages: bool = False  # each by zstd
    described: dict[tuple[int, int], Found] = field(
        default_factory=dict
    )  # see mcap_scan.described; empty: nothing to mend

    @property
    def packed(self) -> bool:
        return self.path.suffix == ZSTD

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
        where = " when unpacked" if self.packed else ""
        lines = [f"{kept}{where}, {'damaged' if self.damages else 'without its index'}"]
        lines += [f"  bytes {d.start} to {d.end} ({d.end - d.start}): {d.problem}" for d in self.damages]
        return "\n".join(lines)


def inspect(path: Path) -> FileState:
    """Read a whole MCAP file, or one that is compressed as a whole; raises BagError when it is none."""
    if path.suffix != ZSTD:
        return _inspect(path, path)
    with unpacked(path) as (plain, problem):
        state = _inspect(path, plain)
    if problem:
        state.damages.append(Damage(state.size, state.size, problem))
    return state


def mend(state: FileState) -> None:
    """Replace a file that is not whole by its repaired copy; what cannot be used stays beside it, of a file that is compressed
    as a whole all of it. Raises OSError with all as it was."""
    if not state.packed:
        _rewrite(state)
        return
    with unpacked(state.path) as (plain, _):
        inside = _inspect(plain, plain)
        if not inside.whole:
            _rewrite(inside)
        pack(plain, state.path)
    state.index = inside.index


def _inspect(path: Path, plain: Path) -> FileState:
    """What is in `plain`, the content of the file `path`."""
    state = FileState(path, plain.stat().st_size)
    chunk: Chunk | None = None
    with _mapped(plain) as data:
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
            state.compressed_messages |= not problem and _compressed(found)
            if problem:
                state.damages.append(Damage(found.start, found.end, problem))
            elif found.opcode == Opcode.DATA_END:
                state.ended = has_footer(data, found.end)
    state.described = known if unread else {}
    return state


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


def _compressed(found: Found) -> bool:
    """Whether the first message of a record is compressed by zstd: then all of the file are."""
    content = found.content
    if found.opcode == Opcode.MESSAGE:
        return bool(content[MESSAGE_BYTES : MESSAGE_BYTES + len(MAGIC_OF_ZSTD)] == MAGIC_OF_ZSTD)
    if not isinstance(content, Chunk) or not content.messages:
        return False
    start = next(iter(content.messages.values()))[0][1] + MESSAGE.size
    return content.plain[start : start + len(MAGIC_OF_ZSTD)] == MAGIC_OF_ZSTD


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
            to_disk(written)
        if damages:
            os.replace(cut_part, cut)
        os.replace(part, path)
    finally:
        for left in (part, cut_part):
            left.unlink(missing_ok=True)
    state.index = file.index


def _copy(file: McapFile, found: Found, data: Any) -> None:
    """Copy a record that is not made anew: message indexes and everything behind the data are."""
    content = found.content
    if isinstance(content, Chunk):
        file.index.schemas |= content.schemas
        file.index.channels |= content.channels
        file.add_chunk(content.head, content.compression, [content.stored], content.messages)
    elif found.opcode not in (Opcode.HEADER, Opcode.MESSAGE_INDEX, Opcode.DATA_END):
        file.add_record(data[found.start : found.end], found.opcode, content)
