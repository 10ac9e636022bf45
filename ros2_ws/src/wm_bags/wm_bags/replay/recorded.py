"""What a robot's nodes said to each other, in the order in which they said it."""

import heapq
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from mcap.exceptions import McapError
from mcap.reader import make_reader

from wm_bags.replay.choice import ReplayError

DISORDER_NS = 5_000_000_000  # a message is recorded at most this long after it was sent
STAMP = struct.Struct("<iI")
MARK = "wm/belief"  # tells the namespace that was recorded


@dataclass(frozen=True)
class Recorded:
    """One message."""

    topic: str  # relative to the recording's namespace
    sent_ns: int  # by the clock of the host, where the recorder knew it; else when it was recorded
    data: bytes  # CDR, little endian

    @property
    def stamp_ns(self) -> int:
        """Of the header that the message begins with."""
        seconds, nanoseconds = STAMP.unpack_from(self.data, 4)
        return seconds * 1_000_000_000 + nanoseconds


@dataclass(frozen=True)
class Recording:
    """A bag of wm's own topics."""

    files: tuple[Path, ...]
    namespace: str  # empty, or as in "/robot"
    kinds: dict[str, str]  # type of each topic, relative to the namespace

    def messages(self, topics: Iterable[str]) -> Iterator[Recorded]:
        """Messages of these topics, in the order in which they were sent; raises ReplayError on a damaged bag."""
        names = [f"{self.namespace}/{topic}" for topic in topics if topic in self.kinds]
        return in_order(self._messages(names))

    def _messages(self, names: list[str]) -> Iterator[tuple[int, Recorded]]:
        skip = len(self.namespace) + 1
        for file in self.files:
            with file.open("rb") as stream:
                try:
                    for _, channel, message in make_reader(stream).iter_messages(names):
                        yield message.log_time, Recorded(channel.topic[skip:], message.publish_time, message.data)
                except McapError as error:
                    raise ReplayError(
                        f"{file}: expected a whole MCAP file: {error!r}; mend it: ./wm bag repair {file.parent}"
                    ) from error


def open_recording(bag: Path) -> Recording:
    """Open a bag that wm recorded (MCAP); raises ReplayError."""
    try:
        information = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
        files = tuple(bag / Path(name).name for name in information["relative_file_paths"])
        topics = [each["topic_metadata"] for each in information["topics_with_message_count"] if each["message_count"]]
        kinds = {each["name"]: each["type"] for each in topics}
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ReplayError(f"{bag}: expected a rosbag2 folder with metadata.yaml: {error}") from error
    if not files or any(file.suffix != ".mcap" for file in files):
        raise ReplayError(
            f"{bag}: expected MCAP files, which say when a message was sent; got {[f.name for f in files]}"
        )
    marks = [name for name in kinds if name.endswith(f"/{MARK}")]
    if len(marks) != 1:
        raise ReplayError(
            f"{bag}: expected the recording of one robot, with {MARK}; its topics are {', '.join(sorted(kinds)) or 'none'}"
        )
    namespace = marks[0].removesuffix(f"/{MARK}")
    inside = {name[len(namespace) + 1 :]: kind for name, kind in kinds.items() if name.startswith(f"{namespace}/")}
    return Recording(files, namespace, inside)


def in_order(messages: Iterable[tuple[int, Recorded]]) -> Iterator[Recorded]:
    """Sort (time of recording [ns], message) by when they were sent; they come about in the order of recording."""
    waiting: list[tuple[int, int, Recorded]] = []
    for index, (logged_ns, message) in enumerate(messages):
        heapq.heappush(waiting, (message.sent_ns, index, message))
        while waiting[0][0] < logged_ns - DISORDER_NS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
