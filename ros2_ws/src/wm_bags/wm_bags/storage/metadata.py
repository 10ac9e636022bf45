"""metadata.yaml of a rosbag2 folder: written in version 9, that of rosbag2 in Jazzy and later; any version is read."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import yaml

from wm_bags.storage import contents
from wm_bags.storage.definitions import Definition
from wm_bags.storage.errors import BagError, in_words

VERSION = 9
FILE = "metadata.yaml"
COMPRESSED = ("file", "message")  # modes of compression, in lower case
DISTRO = os.environ.get("ROS_DISTRO", "jazzy")  # the wheels are Jazzy's
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Topic:
    """A topic of a bag. `offered_qos`: profiles that its publishers offered, as metadata.yaml writes them."""

    name: str
    definition: Definition
    offered_qos: list[dict[str, Any]] = field(default_factory=list)

    @property
    def latched(self) -> bool:
        """Whether a publisher keeps its last messages for those who come later."""
        return any(profile.get("durability") == "transient_local" for profile in self.offered_qos)

    def channel_metadata(self) -> dict[str, str]:
        """What an MCAP channel says of it."""
        qos = yaml.dump(self.offered_qos, Dumper=_Dumper, sort_keys=False).strip() if self.offered_qos else ""
        return {"offered_qos_profiles": qos, "topic_type_hash": self.definition.hash}


@dataclass(frozen=True)
class FileInfo:
    """One file of a bag; log times of its first and last message [ns], 0 while it has none."""

    name: str
    start_ns: int
    end_ns: int
    messages: int


def bag_information(
    topics: Iterable[tuple[Topic, int]], files: Iterable[FileInfo], custom: dict[str, str], storage: str = "mcap"
) -> dict[str, Any]:
    """The content of `rosbag2_bagfile_information`; `topics` with their message counts."""
    files = list(files)
    filled = [file for file in files if file.messages]
    start_ns = min((file.start_ns for file in filled), default=0)
    end_ns = max((file.end_ns for file in filled), default=0)
    return {
        "version": VERSION,
        "storage_identifier": storage,
        "duration": {"nanoseconds": end_ns - start_ns},
        "starting_time": {"nanoseconds_since_epoch": start_ns},
        "message_count": sum(file.messages for file in files),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.definition.type,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": topic.offered_qos,
                    "type_description_hash": topic.definition.hash,
                },
                "message_count": count,
            }
            for topic, count in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file.name for file in files],
        "files": [
            {
                "path": file.name,
                "starting_time": {"nanoseconds_since_epoch": file.start_ns},
                "duration": {"nanoseconds": file.end_ns - file.start_ns},
                "message_count": file.messages,
            }
            for file in files
        ],
        "custom_data": custom or None,
        "ros_distro": DISTRO,
    }


def dump(information: dict[str, Any]) -> str:
    return yaml.dump(information, Dumper=_Dumper, sort_keys=False)


def write_metadata(folder: Path, information: dict[str, Any]) -> None:
    """Replace metadata.yaml in one rename: whoever reads it sees the old or the new one."""
    part = folder / f".{FILE}.part"
    try:
        part.write_text(dump({"rosbag2_bagfile_information": information}))
        os.replace(part, folder / FILE)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


@dataclass(frozen=True)
class Metadata:
    """What metadata.yaml says; empty where there is none."""

    version: int = 0
    distro: str = ""
    files: tuple[str, ...] = ()
    topics: dict[str, contents.Topic] = field(default_factory=dict)
    per_file: dict[str, int] = field(default_factory=dict)  # messages by file
    messages: int = -1
    duration_ns: int = 0
    compression: str = ""  # "file": each as a whole, "message": each; as in COMPRESSED


class UnsupportedError(BagError):
    """A metadata.yaml that is whole, but of a kind that is not read here."""


def read_metadata(folder: Path) -> Metadata | None:
    """Of a folder, None where there is none; raises BagError for what rosbag2 does not write."""
    file = folder / FILE
    if not file.exists():
        return None
    try:
        content = yaml.load(file.read_text(errors="replace"), _Loader)["rosbag2_bagfile_information"]
        version = int(content.get("version", VERSION))  # what rosbag2 converts may be without one
        topics = [_topic(entry) for entry in content["topics_with_message_count"]]
        names = tuple(map(str, content["relative_file_paths"]))
        messages = int(content.get("message_count", -1))
        per_file = {PurePath(entry["path"]).name: int(entry["message_count"]) for entry in content.get("files") or ()}
        if not per_file and len(names) == 1:
            per_file = {PurePath(names[0]).name: int(content["message_count"])}
        duration_ns = int((content.get("duration") or {}).get("nanoseconds", 0))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BagError(
            f"{file}: expected what rosbag2 writes, got {in_words(error)}; delete it to read the files without it"
        ) from error
    if version > VERSION:
        raise UnsupportedError(
            f"{file}: expected a version of at most {VERSION}, got {version}; convert it: ros2 bag convert"
        )
    mode, form = str(content.get("compression_mode") or "").lower(), content.get("compression_format") or ""
    if mode in COMPRESSED and form != "zstd":
        raise UnsupportedError(f"{file}: expected compression by zstd, got {form!r}; convert it: ros2 bag convert")
    distro = str(content.get("ros_distro") or "")
    known = {topic.name: topic for topic in topics}
    return Metadata(version, distro, names, known, per_file, messages, duration_ns, mode if mode in COMPRESSED else "")


def _topic(entry: dict[str, Any]) -> contents.Topic:
    int(entry["message_count"])  # must be there, though the files say it too
    topic = entry["topic_metadata"]
    return contents.Topic(
        str(topic["name"]),
        str(topic["type"]),
        str(topic["serialization_format"]),
        digest=topic.get("type_description_hash") or "",
        offered_qos=topic.get("offered_qos_profiles") or (),
    )
