"""metadata.yaml of a rosbag2 folder, version 9: that of rosbag2 in Jazzy and later."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from wm_bags.storage.definitions import Definition

VERSION = 9
FILE = "metadata.yaml"
DISTRO = os.environ.get("ROS_DISTRO", "jazzy")  # the wheels are Jazzy's
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


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
