"""MCAP files, read from the front to the back without trusting their index: whole, cut off, or damaged."""

import heapq
import mmap
import struct
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Channel, Schema

from wm_bags.storage.contents import Found, Topic
from wm_bags.storage.errors import BagError
from wm_bags.storage.mcap_file import MAGIC, MESSAGE, MESSAGE_BYTES
from wm_bags.storage.mcap_scan import Chunk, DamageError, scan

HEADER = struct.Struct("<HIQQ")  # of a message: channel, sequence, log time, publish time
RELEASED = 1 << 25  # [bytes] read before their memory is given back


class McapStorage:
    """One MCAP file. `file`: the one in the bag; `plain`: the same, without the compression of the whole."""

    def __init__(self, file: Path, plain: Path, skip: bool) -> None:
        self.file = file
        self.notes: list[str] = []
        self._stack = ExitStack()
        self._data: Any = b""
        if plain.stat().st_size:
            stream = self._stack.enter_context(plain.open("rb"))
            self._data = self._stack.enter_context(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        if (head := bytes(self._data[: len(MAGIC)])) != MAGIC:
            self.close()
            raise BagError(
                f"{file}: expected the first bytes {MAGIC!r} of MCAP, got {head!r}; it is no MCAP file, or its beginning is lost"
            )
        schemas, channels, counts = self._summary(plain) or self._scanned()
        self.topics: dict[str, Topic] = {}
        for channel in channels.values():
            topic = _topic(channel, schemas.get(channel.schema_id), counts.get(channel.id, 0))
            if known := self.topics.get(topic.name):
                topic = topic._replace(messages=known.messages + topic.messages)
            self.topics[topic.name] = topic

    def close(self) -> None:
        self._stack.close()

    def messages(self, wanted: Set[str], counts: Counter[str]) -> Iterator[Found]:
        """Messages of these topics by time of recording, and damage; `counts` is given those of all topics."""
        waiting: list[tuple[int, int, Found]] = []  # of the chunk before: chunks may overlap in time
        order = 0
        channels: dict[int, str] = {}
        released = 0
        for found in scan(self._data):
            if found.start - released > RELEASED:  # else a mapped file fills the memory, page by page
                end = found.start // mmap.PAGESIZE * mmap.PAGESIZE
                self._data.madvise(mmap.MADV_DONTNEED, released, end - released)
                released = end
            if found.problem:
                yield from (each for _, _, each in sorted(waiting))
                waiting = []
                tail = found.end == len(self._data)
                yield Found(place=_bytes(found), problem=found.problem, tail=tail, counted=counts.total())
                continue
            content = found.content
            if isinstance(content, Channel):
                channels[content.id] = content.topic
            elif isinstance(content, Chunk):
                channels |= {channel.id: channel.topic for channel in content.channels.values()}
                fresh, problem = _of_chunk(content, channels, wanted, counts, f"byte {found.start}")
                if problem:
                    yield Found(place=_bytes(found), problem=problem)
                start_ns = fresh[0][0] if fresh else 0
                while waiting and waiting[0][0] <= start_ns:
                    yield heapq.heappop(waiting)[2]
                for log_ns, offset, message in fresh:
                    heapq.heappush(waiting, (log_ns, order + offset, message))
                order += len(content.plain)
            elif found.opcode == Opcode.MESSAGE:
                channel, _, log_ns, sent_ns = HEADER.unpack_from(content)
                counts[channels.get(channel, "")] += 1
                if channels.get(channel) in wanted:
                    data, place = content[HEADER.size :], f"byte {found.start}"
                    yield Found(channels[channel], log_ns, data, place, sent_ns=sent_ns)
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _summary(self, plain: Path) -> tuple[dict[int, Schema], dict[int, Channel], dict[int, int]] | None:
        """What the index says, where there is a whole one."""
        try:
            with plain.open("rb") as stream:
                summary = make_reader(stream).get_summary()
        except (McapError, struct.error, ValueError, OSError):
            return None
        if summary is None or not summary.channels or summary.statistics is None:
            return None
        return summary.schemas, summary.channels, dict(summary.statistics.channel_message_counts)

    def _scanned(self) -> tuple[dict[int, Schema], dict[int, Channel], dict[int, int]]:
        """The same from all records, for a file without index."""
        self.notes.append(f"{self.file.name}: without an index: read from the front")
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        counts: Counter[int] = Counter()
        try:
            for found in scan(self._data):
                content = found.content
                if isinstance(content, Schema):
                    schemas[content.id] = content
                elif isinstance(content, Channel):
                    channels[content.id] = content
                elif isinstance(content, Chunk):
                    schemas |= content.schemas
                    channels |= content.channels
                    counts.update({channel: len(entries) for channel, entries in content.messages.items()})
                elif found.opcode == Opcode.MESSAGE and not found.problem:
                    counts[HEADER.unpack_from(content)[0]] += 1
        except DamageError as error:
            raise BagError(f"{self.file}: {error}") from error
        return schemas, channels, counts


def _topic(channel: Channel, schema: Schema | None, count: int) -> Topic:
    metadata = dict(channel.metadata)
    return Topic(
        channel.topic,
        schema.name if schema else "",
        channel.message_encoding,
        schema.encoding if schema else "",
        schema.data.decode(errors="replace") if schema else "",
        metadata.get("topic_type_hash", ""),
        count,
    )


def _of_chunk(
    chunk: Chunk, channels: dict[int, str], wanted: Set[str], counts: Counter[str], place: str
) -> tuple[list[tuple[int, int, Found]], str]:
    """Messages of a chunk by time, and what is wrong with it."""
    fresh = []
    for channel, entries in chunk.messages.items():
        topic = channels.get(channel)
        if topic is None:
            return [], f"{len(entries)} messages on a channel {channel} that nothing before describes"
        counts[topic] += len(entries)
        if topic in wanted:
            for log_ns, offset in entries:
                _, size, _, _, _, sent_ns = MESSAGE.unpack_from(chunk.plain, offset)
                begin = offset + MESSAGE.size
                data = chunk.plain[begin : begin + size - MESSAGE_BYTES]
                fresh.append((log_ns, offset, Found(topic, log_ns, data, place, sent_ns=sent_ns)))
    fresh.sort(key=lambda entry: entry[:2])
    return fresh, ""


def _bytes(found: Any) -> str:
    return f"bytes {found.start} to {found.end}"
