"""Results that can be looked up: one JSON line an episode (or row) in bench/results/NAME.jsonl, with all that it depends on.

A line has `commit`, `bundle`, `bundle_sha256`, `settings` and what names it (`robot`, `world`, `method`, `seed`, ...): together they
are its identity, and what is there is not measured again. Beside them stand `result`, and how it came to be: `time`, `machine`,
`load` (of the last minute), `command`. A line is written at once and synced, so a kill at any moment costs the episodes that run.
"""

import fcntl
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from _provenance import bundle_facts, command, commit, machine

from wm_core.workers import run_all

FOLDER = Path(__file__).resolve().parent / "results"
FIELDS = {"commit": str, "settings": dict, "result": dict, "time": str, "machine": dict, "load": float, "command": str}
NO_IDENTITY = ("result", "time", "machine", "load", "command")
Line = dict[str, Any]


class ResultsError(ValueError):
    """Results that cannot be read or written: says where, what was expected and what to do."""


class Results:
    """The lines of one benchmark, held by one process: workers compute, this process writes."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        bundle: Path | None = None,
        folder: Path = FOLDER,
        fresh: bool = False,
        **facts: str,
    ) -> None:
        """`settings`: what changes results; `bundle`: its folder, where one is judged; `facts`: what all lines share, as a robot;
        `fresh`: know nothing of the lines that are there.

        A last line that was torn by a kill is cut off. Raises ResultsError for any other line that is none, and when another
        process holds the file.
        """
        self.file = folder / f"{name}.jsonl"
        judged = bundle_facts(bundle) if bundle else {}
        self._facts = {"commit": commit(), **judged, **facts, "settings": plain(settings)}
        self._made = {"machine": machine(), "command": command(name)}
        folder.mkdir(parents=True, exist_ok=True)
        self._out = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResultsError(f"{self.file} is written by another run; wait for it, or use --results FOLDER") from None
        self._cut_torn_line()
        self._known = {} if fresh else {identity(line): line for line in read(self.file)}

    def _cut_torn_line(self) -> None:
        content = self.file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            print(f"{self.file}: the last line is torn and is cut off: {content[whole:][:60]!r}", file=sys.stderr)
            os.ftruncate(self._out, whole)

    def done(self, **key: Any) -> Line | None:
        """The line of this commit, bundle and settings with that key, or None."""
        return self._known.get(identity(self._facts | plain(key)))

    def lines_of(self, keys: Iterable[Mapping[str, Any]]) -> list[Line]:
        """The lines of these keys in their order; none of a key that is not done."""
        return [line for key in keys if (line := self.done(**key)) is not None]

    def add(self, result: Mapping[str, Any], **key: Any) -> Line:
        """Append a line; returns it as it is read back (floats of six digits, None for what is not finite)."""
        made = {"time": datetime.now(timezone.utc).isoformat(timespec="seconds"), "load": round(os.getloadavg()[0], 2)}
        line = plain(key) | self._facts | {"result": plain(result)} | made | self._made
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        if os.write(self._out, data) != len(data):
            raise ResultsError(f"{self.file}: a line was written in part; is the disk full? The next start cuts it off")
        os.fsync(self._out)
        self._known[identity(line)] = line
        return line

    def run(
        self,
        function: Callable[..., Mapping[str, Any]],
        calls: Mapping[tuple, tuple],
        names: Iterable[str],
        workers: int,
    ) -> Iterator[Line]:
        """The lines of all calls in order: function(*arguments) -> result where there is none yet.

        `calls`: key -> arguments; `names`: of the parts of a key, as "world", "method", "seed".
        """
        keys = [dict(zip(names, key, strict=True)) for key in calls]
        missing = [args for key, args in zip(keys, calls.values(), strict=True) if self.done(**key) is None]
        if len(missing) < len(calls):
            print(f"{len(calls) - len(missing)} of {len(calls)} are in {self.file.name} (--fresh measures them again)")
        finished = iter(run_all(function, missing, workers))
        for key in keys:
            yield self.done(**key) or self.add(next(finished), **key)

    def close(self) -> None:
        """Let other processes write."""
        os.close(self._out)


def read(file: Path) -> list[Line]:
    """All lines of a file; raises ResultsError naming the one that is none."""
    lines = []
    for number, text in enumerate(file.read_bytes().splitlines(), 1):
        try:
            line = json.loads(text)
        except ValueError as error:
            raise ResultsError(
                f"{file}:{number}: expected a line of JSON, got {text[:60]!r} ({error}); remove it"
            ) from None
        if not isinstance(line, dict):
            raise ResultsError(f"{file}:{number}: expected an object, got {text[:60]!r}; remove the line")
        for name, kind in FIELDS.items():
            if not isinstance(line.get(name), kind):
                got = f"got {line[name]!r}" if name in line else "it is missing"
                raise ResultsError(
                    f"{file}:{number}: expected '{name}' to be a {kind.__name__}, {got}; remove the line"
                )
        lines.append(line)
    return lines


def identity(line: Mapping[str, Any]) -> str:
    """What two lines of the same measurement have in common."""
    return json.dumps({name: value for name, value in line.items() if name not in NO_IDENTITY}, sort_keys=True)


def plain(value: Any) -> Any:
    """A value as JSON can say it: numpy's as Python's, floats of six digits, None for what is not finite, text for the rest."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(each) for each in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
