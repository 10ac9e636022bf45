"""One MCAP file, written chunk by chunk so that what is in it can be read whenever its writer dies.

Format: MCAP specification version 0 (mcap.dev/spec). The `mcap` library encodes the small records; chunks go from the
messages to the file without a copy, and their checksum is computed on the way: a third of the library's time.
"""

import fcntl
import os
import struct
import time
import zlib
from collections import defaultdict
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.writer import MCAP0_MAGIC as MAGIC

LIBRARY = "wm_bags"
COMPRESSIONS = ("none", "zstd", "lz4")
RECORD = struct.Struct("<BQ")  # opcode, length
MESSAGE = struct.Struct("<BQHIQQ")  # opcode, length, channel, sequence, log time, publish time
CHUNK = struct.Struct("<QQQI")  # first and last log time, size, checksum
MESSAGE_BYTES = MESSAGE.size - RECORD.size  # of a message before its data
COPIED = 1 << 16  # [bytes] shorter data is copied into one buffer, longer is written from where it is
BUFFERS = 512  # written in one call


def record(content: McapRecord) -> bytes:
    """The bytes of one record."""
    builder = RecordBuilder()
    content.write(builder)
    return builder.end()


class Index:
    """What an MCAP file says of itself at its end: schemas, channels, chunks, counts.

    There is a chunk every half second, so their records are kept compressed: a recorder's memory must not grow.
    """

    def __init__(self) -> None:
        self.schemas: dict[int, Schema] = {}
        self.channels: dict[int, Channel] = {}
        self.counts: dict[int, int] = defaultdict(int)  # messages by channel
        self.start_ns = self.end_ns = 0  # log times of the first and the last message
        self._chunks = 0
        self._compressor = zlib.compressobj()  # of the chunks' records
        self._compressed = bytearray()
        self._metadata: list[bytes] = []

    @property
    def messages(self) -> int:
        return sum(self.counts.values())

    def count(self, channel: int, number: int, start_ns: int, end_ns: int) -> None:
        """Messages of one channel with log times from `start_ns` to `end_ns`."""
        self.start_ns = min(start_ns, self.start_ns) if self.messages else start_ns
        self.end_ns = max(end_ns, self.end_ns)
        self.counts[channel] += number

    def chunk(self, start: int, length: int, times: tuple[int, int], offsets: dict[int, int], sizes: tuple) -> None:
        """A chunk of `length` bytes at `start`; `offsets`: where the message index of each channel is; `sizes`:
        bytes of these, compression, bytes stored, bytes uncompressed."""
        index_length, compression, stored, size = sizes
        name = compression.encode()
        body = struct.pack("<QQQQI", *times, start, length, 10 * len(offsets))
        body += b"".join(struct.pack("<HQ", channel, offset) for channel, offset in offsets.items())
        body += struct.pack("<QI", index_length, len(name)) + name + struct.pack("<QQ", stored, size)
        self._chunks += 1
        self._compressed += self._compressor.compress(RECORD.pack(Opcode.CHUNK_INDEX, len(body)) + body)

    def metadata(self, offset: int, length: int, name: str) -> None:
        self._metadata.append(record(MetadataIndex(offset, length, name)))

    def end(self, offset: int) -> bytes:
        """All that follows the data, which ends at `offset`: the file is complete with it."""
        statistics = Statistics(
            message_count=self.messages,
            schema_count=len(self.schemas),
            channel_count=len(self.channels),
            attachment_count=0,
            metadata_count=len(self._metadata),
            chunk_count=self._chunks,
            message_start_time=self.start_ns,
            message_end_time=self.end_ns,
            channel_message_counts=dict(self.counts),
        )
        chunks = zlib.decompress(self._compressed + self._compressor.copy().flush())
        groups = {
            Opcode.SCHEMA: [record(schema) for schema in self.schemas.values()],
            Opcode.CHANNEL: [record(channel) for channel in self.channels.values()],
            Opcode.STATISTICS: [record(statistics)],
            Opcode.CHUNK_INDEX: [chunks],
            Opcode.METADATA_INDEX: self._metadata,
        }
        data_end = record(DataEnd(0))
        start = position = offset + len(data_end)
        summary, offsets = bytearray(), bytearray()
        for opcode, records in groups.items():
            group = b"".join(records)
            if group:
                offsets += record(SummaryOffset(opcode, position, len(group)))
                summary += group
                position += len(group)
        footer = record(Footer(start, position, 0))
        checksum = zlib.crc32(summary + offsets + footer[:-4])
        return data_end + bytes(summary + offsets) + footer[:-4] + struct.pack("<I", checksum) + MAGIC


def lock(fd: int) -> None:
    """Lock an open file as long as it is open here, which the kernel ends with the process; raises BlockingIOError when
    another has it. A file system without locks goes without."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass


class McapFile:
    """A new MCAP file, locked while it is written: see `lock`. Raises OSError when the disk does not take it; then the file
    ends after its last whole chunk."""

    def __init__(self, path: Path, compression: str = "none") -> None:
        """`compression`: none, zstd or lz4, of each chunk."""
        if compression not in COMPRESSIONS:
            raise ValueError(f"expected a compression of {', '.join(COMPRESSIONS)}, got {compression!r}")
        self.path = path
        self.size = 0  # [bytes] in the file
        self.index = Index()
        self._compression = "" if compression == "none" else compression
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._parts: list[bytes | bytearray | memoryview] = []  # of the chunk that is being filled
        self._buffer = bytearray()  # its end, in which short messages are collected
        self._offset = 0  # [bytes] in it
        self._since = 0.0
        self._messages: dict[int, list[tuple[int, int]]] = defaultdict(list)
        try:
            lock(self._fd)
            self._write(MAGIC, record(Header(profile="ros2", library=LIBRARY)))
        except OSError:
            os.close(self._fd)
            os.unlink(path)  # there is nothing in it
            raise

    @property
    def pending(self) -> int:
        """[bytes] of messages that wait for their chunk."""
        return self._offset

    @property
    def pending_s(self) -> float:
        """[s] for which the oldest of them has waited."""
        return time.monotonic() - self._since if self._offset else 0.0

    def schema(self, name: str, encoding: str, text: str) -> int:
        """The number of a schema; the same for the same content."""
        data = text.encode()
        for known in self.index.schemas.values():
            if (known.name, known.encoding, known.data) == (name, encoding, data):
                return known.id
        schema = Schema(id=len(self.index.schemas) + 1, name=name, encoding=encoding, data=data)
        self._write(record(schema))
        self.index.schemas[schema.id] = schema
        return schema.id

    def channel(self, topic: str, schema: int, metadata: dict[str, str]) -> int:
        """Begin a channel of CDR messages; returns its number."""
        number = len(self.index.channels) + 1
        channel = Channel(id=number, topic=topic, message_encoding="cdr", metadata=metadata, schema_id=schema)
        self._write(record(channel))
        self.index.channels[number] = channel
        return number

    def append(self, channel: int, data: bytes | memoryview, log_ns: int, publish_ns: int) -> None:
        """Take a message; it is in the file after the next `flush`."""
        if not self._offset:
            self._since = time.monotonic()
        self._messages[channel].append((log_ns, self._offset))
        self._buffer += MESSAGE.pack(Opcode.MESSAGE, MESSAGE_BYTES + len(data), channel, 0, log_ns, publish_ns)
        if len(data) < COPIED:
            self._buffer += data
        else:
            self._parts += [self._buffer, data]
            self._buffer = bytearray()
        self._offset += MESSAGE.size + len(data)

    def flush(self) -> None:
        """Write what waits as one chunk with its message indexes."""
        if not self._offset:
            return
        parts = [*self._parts, self._buffer]
        checksum = 0
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        times = [log_ns for entries in self._messages.values() for log_ns, _ in entries]
        span = min(times), max(times)
        self.add_chunk(CHUNK.pack(*span, self._offset, checksum), self._compression, self._compress(parts))

    def add_chunk(self, head: bytes, compression: str, parts: list, messages: dict | None = None) -> None:
        """Write a chunk: its fields up to the checksum, and its content; `messages`: (log time, offset) by channel."""
        messages = self._messages if messages is None else messages
        start_ns, end_ns, size, _ = CHUNK.unpack(head)
        name = compression.encode()
        stored = sum(map(len, parts))
        head += struct.pack("<I", len(name)) + name + struct.pack("<Q", stored)
        start, length = self.size, RECORD.size + len(head) + stored
        indexes, offsets = bytearray(), {}
        for channel, entries in messages.items():
            offsets[channel] = start + length + len(indexes)
            flat = [value for entry in entries for value in entry]
            indexes += RECORD.pack(Opcode.MESSAGE_INDEX, 6 + 8 * len(flat))
            indexes += struct.pack(f"<HI{len(flat)}Q", channel, 8 * len(flat), *flat)
        self._write(RECORD.pack(Opcode.CHUNK, len(head) + stored) + head, *parts, indexes)
        for channel, entries in messages.items():
            times = [log_ns for log_ns, _ in entries]
            self.index.count(channel, len(entries), min(times), max(times))
        self.index.chunk(start, length, (start_ns, end_ns), offsets, (len(indexes), compression, stored, size))
        self._begin_chunk()

    def add_record(self, content: bytes, opcode: int, parsed: Schema | Channel | bytes) -> None:
        """Copy a record of another file, outside chunks."""
        self._write(content)
        if isinstance(parsed, Schema):
            self.index.schemas[parsed.id] = parsed
        elif isinstance(parsed, Channel):
            self.index.channels[parsed.id] = parsed
        elif opcode == Opcode.METADATA:
            name = Metadata.read(ReadDataStream(BytesIO(parsed))).name
            self.index.metadata(self.size - len(content), len(content), name)
        elif opcode == Opcode.MESSAGE:
            channel, _, log_ns = struct.unpack_from("<HIQ", parsed)
            self.index.count(channel, 1, log_ns, log_ns)

    def close(self, metadata: dict[str, str] | None = None) -> None:
        """Write what waits, metadata under the name "rosbag2", and the index, which makes the file complete."""
        self.flush()
        if metadata is not None:
            content = record(Metadata(name="rosbag2", metadata=metadata))
            self._write(content)
            self.index.metadata(self.size - len(content), len(content), "rosbag2")
        self._write(self.index.end(self.size))
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is: readable up to its last whole chunk."""
        self._begin_chunk()
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def drop_pending(self) -> None:
        """Forget the messages that wait for their chunk."""
        self._begin_chunk()

    # -- inside --------------------------------------------------------------------------------------------------

    def _begin_chunk(self) -> None:
        self._parts, self._buffer = [], bytearray()
        self._offset, self._since = 0, 0.0
        self._messages = defaultdict(list)

    def _compress(self, parts: list[bytes | bytearray | memoryview]) -> list:
        if self._compression == "zstd":
            return [zstandard.ZstdCompressor(level=1).compress(b"".join(parts))]
        if self._compression == "lz4":
            return [lz4.frame.compress(b"".join(parts))]
        return parts

    def _write(self, *parts: bytes | bytearray | memoryview) -> None:
        """Append all or nothing."""
        views = [memoryview(part) for part in parts if len(part)]
        total = sum(map(len, views))
        try:
            while views:
                written = os.writev(self._fd, views[:BUFFERS])
                while views and written >= len(views[0]):
                    written -= len(views.pop(0))
                if written:
                    views[0] = views[0][written:]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
                os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += total
