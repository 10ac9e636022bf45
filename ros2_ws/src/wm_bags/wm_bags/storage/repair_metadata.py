"""metadata.yaml of a repaired bag: what the files say in place of what was there, and of that what no file says."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import yaml
from mcap.records import Channel

from wm_bags.storage.errors import BagError
from wm_bags.storage.files import plain_name
from wm_bags.storage.metadata import FILE, VERSION, UnsupportedError, bag_information, read_metadata
from wm_bags.storage.repair_file import FileState

TEXTS = ("name", "type", "serialization_format")  # that every topic has
QOS, HASH = "offered_qos_profiles", "type_description_hash"
NAMED_QOS, HASHES = 9, 7  # the versions since which topics have them
SINCE = {"files": 5, "custom_data": 6, "ros_distro": 8}  # version, by field
ONLY_THERE = ("custom_data", "ros_distro")  # no file says them
# Before version 9 policies are numbers, in a text.
POLICIES = {
    "history": ("system_default", "keep_last", "keep_all", "unknown"),
    "reliability": ("system_default", "reliable", "best_effort", "unknown", "best_available"),
    "durability": ("system_default", "transient_local", "volatile", "unknown", "best_available"),
    "liveliness": ("system_default", "automatic", "manual_by_node", "manual_by_topic", "unknown", "best_available"),
}


@dataclass(frozen=True)
class Before:
    """What metadata.yaml said. `whole`: it is one as rosbag2 writes it, of `version`, and names `files`; else `content` is what is
    left of it."""

    content: dict[str, Any] = field(default_factory=dict)
    whole: bool = False
    version: int = VERSION
    files: tuple[str, ...] = ()
    messages: int = 0
    per_file: dict[str, int] = field(default_factory=dict)  # messages
    compression: str = ""  # file, message or none

    @property
    def topics(self) -> dict[str, dict[str, Any]]:
        """Fields by topic, of those that can be read."""
        entries = [each.get("topic_metadata") for each in _dicts(self.content.get("topics_with_message_count"))]
        readable = [each for each in _dicts(entries) if all(isinstance(each.get(key), str) for key in TEXTS)]
        found = {each["name"]: each for each in readable}
        return found if self.whole else {name: _renewed(entry) for name, entry in found.items()}

    @property
    def counts(self) -> Counter[str]:
        """Messages by topic, where there are any."""
        counts: Counter[str] = Counter()
        for each in self.content["topics_with_message_count"]:
            counts[str(each["topic_metadata"]["name"])] += int(each["message_count"])
        return +counts


def read_before(folder: Path) -> Before:
    """What metadata.yaml says, or what is left of it. Raises UnsupportedError for one that is not to be replaced."""
    try:
        known = read_metadata(folder)
    except UnsupportedError:
        raise
    except BagError:
        return Before(_rest(folder))
    if known is None:
        return Before()
    files = tuple(PurePath(name).name for name in known.files)
    return Before(_rest(folder), True, known.version, files, known.messages, known.per_file, known.compression)


def fits(before: Before, files: list[FileState]) -> bool:
    """Whether metadata.yaml says what the files hold: then nothing of it is touched, whatever its version."""
    promised = {plain_name(name): messages for name, messages in before.per_file.items()}
    return (
        before.whole
        and sorted(before.files) == sorted(file.path.name for file in files)
        and before.messages == sum(file.index.messages for file in files)
        and all(promised.get(plain_name(f.path), f.index.messages) == f.index.messages for f in files)
        and before.counts == _counted(files)
        and before.compression == compression(files, before)
    )


def compression(files: list[FileState], before: Before) -> str:
    """Of the files as wholes, of each message, or none: as they are."""
    if any(file.packed for file in files):
        return "file"
    if not any(file.index.messages for file in files):
        return before.compression if before.compression == "message" else ""
    return "message" if any(file.compressed_messages for file in files) else ""


def information(files: list[FileState], before: Before) -> dict[str, Any]:
    """The new content of metadata.yaml, in the version of the one before; what only that one knows is kept, such as topics
    without messages."""
    entries, counts = _entries(files, before), _counted(files)
    mode = compression(files, before)
    custom = before.content.get("custom_data")
    made = bag_information([], [file.info for file in files], custom if isinstance(custom, dict) else {})
    made |= {
        "version": before.version,
        "topics_with_message_count": [
            {"topic_metadata": entry, "message_count": counts[name]} for name, entry in entries.items()
        ],
        "compression_format": "zstd" if mode else "",
        "compression_mode": mode.upper(),
    }
    if not before.whole:
        return made | {"ros_distro": str(before.content.get("ros_distro") or made["ros_distro"])}
    made = {key: value for key, value in made.items() if before.version >= SINCE.get(key, 0)}
    kept = {key: value for key, value in before.content.items() if key not in made or key in ONLY_THERE}
    return made | kept  # also what is not known here


# -- topics ------------------------------------------------------------------------------------------------------


def _entries(files: list[FileState], before: Before) -> dict[str, dict[str, Any]]:
    """Fields of each topic. Those of the files count: rosbags compares them."""
    entries = before.topics
    described: set[str] = set()
    for file in files:
        for channel in file.index.channels.values():
            if channel.topic not in described:
                described.add(channel.topic)
                schema = file.index.schemas.get(channel.schema_id)
                entries[channel.topic] = _entry(
                    channel, schema.name if schema else "", entries.get(channel.topic, {}), before.version
                )
    return entries


def _entry(channel: Channel, kind: str, known: dict[str, Any], version: int) -> dict[str, Any]:
    """Fields of a topic from a file, in the order and the form of a version."""
    text = channel.metadata.get(QOS, "")
    entry = known | {
        "name": channel.topic,
        "type": kind or known.get("type", ""),
        "serialization_format": known.get("serialization_format") or channel.message_encoding or "cdr",
    }
    profiles = named(text) if version >= NAMED_QOS else text
    entry[QOS] = profiles or known.get(QOS) or profiles  # some writers say them in metadata.yaml only
    if version >= HASHES:
        entry[HASH] = channel.metadata.get("topic_type_hash") or known.get(HASH) or ""
    return entry


def _renewed(entry: dict[str, Any]) -> dict[str, Any]:
    """Fields of a topic as version 9 has them."""
    profiles = entry.get(QOS)
    return {
        "name": entry["name"],
        "type": entry["type"],
        "serialization_format": entry["serialization_format"],
        QOS: named(profiles) if isinstance(profiles, str) else _dicts(profiles),
        HASH: str(entry.get(HASH) or ""),
    }


def named(text: str) -> list[dict[str, Any]]:
    """QoS profiles of a text, their policies by name; none where they are not YAML."""
    try:
        profiles = _dicts(yaml.safe_load(text))
    except yaml.YAMLError:
        return []
    return [{key: _name(key, value) for key, value in profile.items()} for profile in profiles]


def _name(key: str, value: Any) -> Any:
    names = POLICIES.get(key, ())
    return names[value] if type(value) is int and 0 <= value < len(names) else value


def _counted(files: list[FileState]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for file in files:
        for channel in file.index.channels.values():
            counts[channel.topic] += file.index.counts.get(channel.id, 0)
    return +counts


def _dicts(entries: Any) -> list[dict[str, Any]]:
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _rest(folder: Path) -> dict[str, Any]:
    """What of metadata.yaml can be read as YAML; nothing where it cannot."""
    try:
        return dict(yaml.safe_load((folder / FILE).read_text(errors="replace"))["rosbag2_bagfile_information"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
