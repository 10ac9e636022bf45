"""Finished measurements in a folder, so that an interrupted evaluation goes on; and figures as plain JSON."""

import base64
import hashlib
import inspect
import json
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_evaluation.measurement import Context
from wm_evaluation.registry import Entry
from wm_evaluation.section import Picture, Section, Table


@dataclass(frozen=True)
class Finished:
    """A measurement that was made in `seconds`."""

    section: Section
    seconds: float


class Kept:
    """One file for each measurement, used as long as bundles, data, settings and the code that the measurement names are the same."""

    def __init__(self, folder: Path, context: Context) -> None:
        self._folder = folder
        bundles = {
            label: digest((bundle.path / "bundle.yaml").read_bytes()) for label, bundle in context.bundles.items()
        }
        self._facts = [bundles, context.data.fingerprint(), context.world, context.first_seed, context.effort]

    def load(self, entry: Entry) -> Finished | None:
        """What is kept of a measurement, or None."""
        try:
            stored = json.loads(self._file(entry).read_text())
            if stored["key"] != self._key(entry):
                return None
            parts = stored["section"]
            parts["tables"] = [Table(**table) for table in parts["tables"]]
            parts["pictures"] = [Picture(base64.b64decode(p["png"]), p["caption"]) for p in parts["pictures"]]
            return Finished(Section(**parts), stored["seconds"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # none yet, torn, or of an older version
            return None

    def save(self, entry: Entry, finished: Finished) -> None:
        """Keep a measurement; the file appears whole."""
        section = finished.section
        parts = {**asdict(section), "figures": plain(section.figures)}
        parts["pictures"] = [
            {"png": base64.b64encode(picture.png).decode(), "caption": picture.caption} for picture in section.pictures
        ]
        write(
            self._file(entry),
            json.dumps({"key": self._key(entry), "seconds": finished.seconds, "section": parts}),
        )

    def _file(self, entry: Entry) -> Path:
        return self._folder / f"{entry.name}.json"

    def _key(self, entry: Entry) -> str:
        module = entry.module()
        used = {getattr(value, "__module__", None) or "" for value in vars(module).values()}
        names = {module.__name__, *(name for name in used if name.startswith("wm_"))}
        code = [inspect.getsource(sys.modules[name]) for name in sorted(names)]
        return digest(json.dumps([self._facts, code]).encode())


def digest(content: bytes) -> str:
    """Short hash."""
    return hashlib.sha256(content).hexdigest()[:16]


def write(file: Path, text: str) -> None:
    """Replace a file in one rename."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_text(text)
    part.replace(file)


def plain(value: Any) -> Any:
    """As JSON knows it: numpy numbers and arrays as Python's, names as text, what is not finite as null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
