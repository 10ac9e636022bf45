"""Files of recordings by their names: what they are, and in which order."""

from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".mcap", ".db3")
ZSTD = ".zstd"  # of a file that rosbag2 compressed as a whole
OTHERS = (".zst", ".lz4", ".gz", ".bz2", ".xz")  # of files that others compressed, which nobody here unpacks


def plain_name(file: Path | str) -> str:
    """The name of a file without the suffix of its compression as a whole."""
    return Path(file).name.removesuffix(ZSTD)


def is_storage(file: Path) -> bool:
    """Whether a file is one of a recording, compressed as a whole or not."""
    return Path(plain_name(file)).suffix in SUFFIXES


def number(file: Path) -> tuple[int, str]:
    """Sorts the files of a recording: BAG_10.mcap comes after BAG_9.mcap. The number is -1 of a file without one."""
    digits = Path(plain_name(file)).stem.rpartition("_")[2]
    return (int(digits) if digits.isdigit() and len(digits) < 5 else -1), file.name


def gaps(files: Iterable[Path]) -> list[int]:
    """The numbers of a split recording that are not there."""
    numbers = {number(file)[0] for file in files} - {-1}
    return sorted(set(range(max(numbers, default=-1) + 1)) - numbers)
