"""Files that are compressed as a whole, as by `ros2 bag record --compression-mode file`: unpacked to be read, and packed again."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from wm_bags.storage.contents import MAGIC_OF_ZSTD
from wm_bags.storage.errors import BagError

CUT = ".cut"  # suffix of the file with what could not be used


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, str]]:
    """What is in a compressed file, as a file that is there within the block, and why it ends early, if it does.

    Raises BagError for what zstd did not compress.
    """
    problem = ""
    with TemporaryDirectory(prefix="wm-bag-") as folder, path.open("rb") as source:
        head = source.read(len(MAGIC_OF_ZSTD))
        if head != MAGIC_OF_ZSTD[: len(head)]:
            raise BagError(
                f"{path}: expected a file that zstd compressed, got the first bytes {head!r}; give it the name that it had before"
            )
        source.seek(0)
        plain = Path(folder) / path.stem
        with plain.open("wb") as target:
            try:
                zstandard.ZstdDecompressor().copy_stream(source, target)
            except zstandard.ZstdError as error:
                problem = f"behind it no zstd, at byte {source.tell()} of the compressed file: {error}"
        yield plain, problem


def pack(plain: Path, target: Path) -> None:
    """Compress a file into `target`, which appears complete or not at all; one that was there stays in a file beside it."""
    part = target.with_name(f".{target.name}.part")
    try:
        with plain.open("rb") as source, part.open("wb") as stream:  # rosbag2 wants to know the size beforehand
            zstandard.ZstdCompressor().copy_stream(source, stream, size=plain.stat().st_size)
        to_disk(part)
        if target.exists():
            put_aside(target)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def put_aside(path: Path) -> None:
    """Copy a file to the end of what was put aside of it before."""
    cut = path.with_name(path.name + CUT)
    part = cut.with_name(f".{cut.name}.part")
    try:
        with part.open("wb") as stream:
            for each in (cut, path):
                if each.exists():
                    with each.open("rb") as source:
                        shutil.copyfileobj(source, stream, 1 << 20)
        to_disk(part)
        os.replace(part, cut)
    finally:
        part.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """What was written into a file is on the disk when this returns."""
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())
