"""Message types as rosbag2 stores them: the text of a definition with all it depends on, and its hash (REP-2016)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wm_core.paths import share

SEPARATOR = "=" * 80
PRIMITIVES = frozenset(f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in ("8", "16", "32", "64")) | {
    "bool",
    "byte",
    "char",
    "string",
    "wstring",
}
# The type of a field at the beginning of a line, without its bounds: "geometry_msgs/Point[<=3] points".
FIELD = re.compile(r"^\s*([A-Za-z][A-Za-z0-9_/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]", re.MULTILINE)


@dataclass(frozen=True)
class Definition:
    """A message type; `encoding` is empty where the type is not installed, and then so are `text` and `hash`."""

    type: str  # package/msg/Name
    encoding: str = ""  # ros2msg
    text: str = ""
    hash: str = ""  # RIHS01_...


@cache
def definition_of(type_name: str) -> Definition:
    """The definition of an installed message type such as "sensor_msgs/msg/Image".

    Concatenated as by rosbag2: each type it depends on once, after a line of 80 "=" and a line "MSG: package/Name".
    """
    try:
        text = "\n".join(_texts(type_name, set()))
    except FileNotFoundError:
        return Definition(type_name)
    description = _file(type_name, ".json")
    hashes = json.loads(description.read_text())["type_hashes"] if description.is_file() else []
    known = {entry["type_name"]: entry["hash_string"] for entry in hashes}
    return Definition(type_name, "ros2msg", text, known.get(type_name, ""))


def _texts(type_name: str, seen: set[str]) -> Iterator[str]:
    text = _file(type_name, ".msg").read_text()
    yield text
    package = type_name.split("/")[0]
    for name in sorted(set(FIELD.findall(text)) - PRIMITIVES):
        depends = name if "/" in name else f"{package}/{name}"
        if depends not in seen:
            seen.add(depends)
            first, *rest = _texts(depends, seen)
            yield f"{SEPARATOR}\nMSG: {depends}\n{first}"
            yield from rest


def _file(type_name: str, suffix: str) -> Path:
    package, *_, name = type_name.split("/")
    return share(package) / "msg" / f"{name}{suffix}"
