"""Walks through an MCAP file record by record, without trusting its index: what is whole, and where it is damaged."""

import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Header, Schema

from wm_bags.storage.mcap_file import CHUNK, MAGIC, MESSAGE, MESSAGE_BYTES, RECORD

DESCRIPTIONS = (Opcode.SCHEMA, Opcode.CHANNEL)
FOOTER_BYTES = RECORD.size + 20
OPCODES = frozenset(int(opcode) for opcode in Opcode)
LARGEST = 1 << 31  # [bytes] uncompressed chunks above are taken for damage
# A chunk's opcode, length, times, size and checksum, and the name of its compression with its length.
CHUNK_START = re.compile(rb"\x06.{8}.{28}(?:\x00{4}|\x04\x00{3}zstd|\x03\x00{3}lz4)", re.DOTALL)


class DamageError(ValueError):
    """A record that is not what it says: why."""


@dataclass
class Chunk:
    """What is in a whole chunk. `messages`: (log time [ns], offset in it) by channel."""

    head: bytes  # its fields up to the checksum
    compression: str
    stored: bytes
    plain: bytes
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    messages: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Found:
    """Bytes `start` to `end` of a file: one record with its content, or, with a `problem`, damage."""

    start: int
    end: int
    opcode: int = 0
    content: Any = None  # Chunk, Schema, Channel, or bytes
    problem: str = ""


def scan(data: Any) -> Iterator[Found]:
    """All records of a file up to the end of its data section (a DATA_END is the last one), damage between them.

    `data`: the file, bytes or a memory map. Raises DamageError when it is no MCAP file.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise DamageError(f"expected the first bytes {MAGIC!r} of MCAP, got {data[: len(MAGIC)]!r}")
    offset = min(len(MAGIC), len(data))
    while offset < len(data):
        try:
            found = _record(data, offset)
        except DamageError as error:
            following = _next_chunk(data, offset + 1)
            yield Found(offset, following, problem=str(error))
            offset = following
            continue
        if found.start == len(MAGIC) and found.opcode != Opcode.HEADER and not found.problem:
            found = Found(found.start, found.end, problem="expected the header first, got another record")
        yield found
        offset = found.end
        if found.opcode == Opcode.DATA_END:
            return


def has_footer(data: Any, data_end: int) -> bool:
    """Whether the file ends with an index whose checksum is right, or is not given."""
    footer = len(data) - len(MAGIC) - FOOTER_BYTES
    if footer < data_end or data[-len(MAGIC) :] != MAGIC or data[footer] != Opcode.FOOTER:
        return False
    start = int.from_bytes(data[footer + 9 : footer + 17], "little")
    checksum = int.from_bytes(data[footer + 25 : footer + 29], "little")
    return start == data_end and checksum in (0, zlib.crc32(data[start : footer + 25]))


def described(data: Any) -> dict[tuple[int, int], Found]:
    """Schemas and channels by opcode and id as the index at the end of a file has them; none where its checksum is wrong.

    Those before the data have no checksum of their own.
    """
    footer = len(data) - len(MAGIC) - FOOTER_BYTES
    if footer < len(MAGIC):
        return {}
    start, checksum = (int.from_bytes(data[footer + at : footer + at + n], "little") for at, n in ((9, 8), (25, 4)))
    if not checksum or not len(MAGIC) < start < footer or not has_footer(data, start):
        return {}
    found = {}
    while start < footer:
        record = _record(data, start)
        if record.opcode in DESCRIPTIONS:
            found[(record.opcode, record.content.id)] = record
        start = record.end
    return found


def _record(data: Any, start: int) -> Found:
    """The record at `start`; a chunk with a wrong checksum is damage, and its end is known."""
    if len(data) - start < RECORD.size:
        raise DamageError(f"the file ends in the first bytes of a record ({len(data) - start} of {RECORD.size})")
    opcode, length = RECORD.unpack_from(data, start)
    end = start + RECORD.size + length
    if opcode not in OPCODES:
        raise DamageError(f"expected a record, got one of an unknown kind, {opcode:#04x}")
    if end > len(data):
        name = Opcode(opcode).name.lower()
        raise DamageError(
            f"the file ends in a {name} record ({len(data) - start - RECORD.size} of {length} bytes of it are there)"
        )
    content = data[start + RECORD.size : end]
    try:
        return Found(start, end, opcode, _content(opcode, content))
    except DamageError as error:
        if opcode == Opcode.CHUNK and (end == len(data) or data[end] in OPCODES):
            return Found(start, end, problem=str(error))
        raise


def _content(opcode: int, content: bytes) -> Any:
    if opcode == Opcode.CHUNK:
        return _chunk(content)
    if opcode == Opcode.HEADER and (profile := _parse(Header, content).profile) != "ros2":
        raise DamageError(f"expected a header with the profile ros2, got '{profile}'")
    if opcode == Opcode.SCHEMA:
        return _parse(Schema, content)
    return _parse(Channel, content) if opcode == Opcode.CHANNEL else content


def _parse(kind: type[Header] | type[Schema] | type[Channel], content: bytes) -> Any:
    try:
        return kind.read(ReadDataStream(BytesIO(content)))
    except Exception as error:  # whatever the library says of bytes that are no such record
        raise DamageError(f"expected a {kind.__name__.lower()}, got unreadable bytes ({error})") from error


def _chunk(content: bytes) -> Chunk:
    try:
        _, _, size, checksum = CHUNK.unpack_from(content, 0)
        (name_length,) = struct.unpack_from("<I", content, CHUNK.size)
        begin = CHUNK.size + 4 + name_length + 8
        compression = content[CHUNK.size + 4 : begin - 8].decode()
        (stored_bytes,) = struct.unpack_from("<Q", content, begin - 8)
    except (struct.error, UnicodeDecodeError) as error:
        raise DamageError(f"expected the fields of a chunk, got unreadable ones ({error})") from error
    stored = content[begin:]
    if len(stored) != stored_bytes or size > LARGEST:
        raise DamageError(f"expected a chunk of {stored_bytes} bytes, got {len(stored)}")
    plain = _decompress(stored, compression, size)
    if checksum and zlib.crc32(plain) != checksum:
        raise DamageError(f"expected a chunk with the checksum {checksum:#010x}, got {zlib.crc32(plain):#010x}")
    chunk = Chunk(content[: CHUNK.size], compression, stored, plain)
    _read_messages(chunk, plain)
    return chunk


def _decompress(stored: bytes, compression: str, size: int) -> bytes:
    try:
        if compression == "zstd":
            plain = zstandard.ZstdDecompressor().decompress(stored, max_output_size=size)
        elif compression == "lz4":
            plain = lz4.frame.decompress(stored)
        elif not compression:
            plain = stored
        else:
            raise DamageError(f"expected a chunk compressed by zstd, lz4 or not at all, got {compression!r}")
    except (zstandard.ZstdError, RuntimeError) as error:
        raise DamageError(f"expected a chunk compressed by {compression}, got other bytes ({error})") from error
    if len(plain) != size:
        raise DamageError(f"expected a chunk of {size} bytes, got {len(plain)}")
    return plain


def _read_messages(chunk: Chunk, plain: bytes) -> None:
    offset, size = 0, len(plain)
    while offset < size:
        if size - offset < RECORD.size:
            raise DamageError("the chunk ends in a record")
        opcode, length = RECORD.unpack_from(plain, offset)
        end = offset + RECORD.size + length
        if end > size or (opcode == Opcode.MESSAGE and length < MESSAGE_BYTES):
            raise DamageError("the chunk ends in a record")
        if opcode == Opcode.MESSAGE:
            _, _, channel, _, log_ns, _ = MESSAGE.unpack_from(plain, offset)
            chunk.messages[channel].append((log_ns, offset))
        elif opcode == Opcode.SCHEMA:
            schema = _parse(Schema, plain[offset + RECORD.size : end])
            chunk.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = _parse(Channel, plain[offset + RECORD.size : end])
            chunk.channels[channel.id] = channel
        offset = end


def _next_chunk(data: Any, offset: int) -> int:
    """Where the next whole chunk begins after damage, or the end of the file."""
    for match in CHUNK_START.finditer(data, offset):
        try:
            if _record(data, match.start()).opcode == Opcode.CHUNK:
                return match.start()
        except DamageError:
            continue
    return len(data)
