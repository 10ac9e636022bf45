"""The error of everything that reads bags, and what others' errors become."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BagError(ValueError):
    """A bag that cannot be used: names the file, the topic, the time, what was expected, what came, and the remedy."""


@contextmanager
def opened(file: Path) -> Iterator[None]:
    """Whatever the system says against reading a file becomes a BagError."""
    try:
        yield
    except OSError as error:
        remedy = "give yourself the right to read it" if isinstance(error, PermissionError) else "check the disk"
        raise BagError(
            f"{error.filename or file}: expected a file that can be read: {error.strerror}; {remedy}"
        ) from error


def in_words(error: Exception) -> str:
    """The first line of an error, with its kind."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
