"""What all storages of bags give: topics, and messages or damage as found in a file."""

from typing import Any, NamedTuple

MAGIC_OF_ZSTD = b"\x28\xb5\x2f\xfd"  # no CDR message begins so


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
