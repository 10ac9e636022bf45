"""Checksums for the chunks of an MCAP file: rosbags checks them when it reads, but leaves them out when it writes.

Format: MCAP specification version 0 (mcap.dev/spec): a magic, then records of an opcode, a length and that many bytes.
"""

import struct
from binascii import crc32
from pathlib import Path

from rosbags.rosbag2.storage_mcap import decompress

MAGIC = 8  # bytes
CHUNK = 0x06  # opcode
RECORD = struct.Struct("<BQ")  # opcode, length
CHUNK_HEADER = struct.Struct("<QQQII")  # first and last time, size, checksum, length of the compression's name
CHECKSUM = 24  # bytes before it in a chunk


def add_checksums(file: Path) -> None:
    """Write the checksum of its contents into every chunk of a finished file: a flipped bit is noticed when it is read."""
    with open(file, "r+b") as stream:
        stream.seek(MAGIC)
        while len(record := stream.read(RECORD.size)) == RECORD.size:
            opcode, length = RECORD.unpack(record)
            start = stream.tell()
            if opcode == CHUNK:
                _, _, size, _, name = CHUNK_HEADER.unpack(stream.read(CHUNK_HEADER.size))
                compression = stream.read(name).decode()
                (stored,) = struct.unpack("<Q", stream.read(8))
                content = decompress(stream.read(stored), compression, size, 0)
                stream.seek(start + CHECKSUM)
                stream.write(struct.pack("<I", crc32(content)))
            stream.seek(start + length)
