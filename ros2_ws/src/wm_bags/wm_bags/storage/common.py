"""What all storages of bags share: topics, what is found in a file, and the error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

MAGIC_OF_ZSTD = b"\x28\xb5\x2f\xfd"  # no CDR message begins so


class BagError(ValueError):
    """A bag that cannot be used: names the file, the topic, the time, what was expected, what came, and the remedy."""


class Topic(NamedTuple):
    """A topic of a bag."""

    name: str
    type: str  # package/msg/Name
    form: str = "cdr"  # serialisation
    encoding: str = ""  # of the definition: ros2msg or ros2idl; empty: the bag has none
    definition: str = ""
    digest: str = ""  # REP-2016 hash of the type; empty: not known
    messages: int = 0
    offered_qos: Any = ()  # profiles that its publishers offered, as metadata.yaml writes them


class Found(NamedTuple):
    """A message in a file, or, with a `problem`, a place where none can be read.

    `tail`: nothing readable follows; `counted`: messages before it.
    """

    topic: str = ""
    log_ns: int = 0
    data: bytes = b""
    place: str = ""
    problem: str = ""
    tail: bool = False
    counted: int = 0
    sent_ns: int | None = None  # by the sender's clock; None where the storage does not say


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
