"""Compares what was recorded with what was computed again, field by field and bit for bit."""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from wm_bags.replay.recorded import Recorded

INDEX = re.compile(r"\[\d+\]")
# Durations that were measured while computing: no two runs agree on them.
MEASURED = {"wm/observation": ("encode_ms",), "wm/belief": ("filter_ms",), "wm/plan": ("plan_ms",)}


@dataclass(frozen=True)
class Difference:
    """Where two messages differ."""

    field: str  # e.g. trajectory.points[1].positions[3]
    recorded: Any
    replayed: Any


def differences(recorded: Any, replayed: Any, ignored: Sequence[str] = (), name: str = "") -> Iterator[Difference]:
    """Fields of two messages of one type that are not the same bits, in the order of the definition.

    `ignored`: fields of the message, at any index of a sequence, e.g. tool.position.z. A not-a-number equals one of the same bits.
    """
    if hasattr(recorded, "get_fields_and_field_types"):
        for field in recorded.get_fields_and_field_types():
            path = f"{name}.{field}" if name else field
            if INDEX.sub("", path) not in ignored:
                yield from differences(getattr(recorded, field), getattr(replayed, field), ignored, path)
    elif isinstance(recorded, float):
        if struct.pack("<d", recorded) != struct.pack("<d", replayed):
            yield Difference(name, recorded, replayed)
    elif hasattr(recorded, "tobytes"):  # an array of numbers
        one, other = np.asarray(recorded), np.asarray(replayed)
        if one.tobytes() != other.tobytes():
            yield from _elements(one.tolist(), other.tolist(), name)
    elif isinstance(recorded, list | tuple):
        yield from _elements(recorded, replayed, name, ignored)
    elif recorded != replayed:
        yield Difference(name, recorded, replayed)


def _elements(
    recorded: Sequence[Any], replayed: Sequence[Any], name: str, ignored: Sequence[str] = ()
) -> Iterator[Difference]:
    if len(recorded) != len(replayed):
        yield Difference(f"len({name})", len(recorded), len(replayed))
        return
    for index, (one, other) in enumerate(zip(recorded, replayed, strict=True)):
        yield from differences(one, other, ignored, f"{name}[{index}]")


@dataclass
class Tally:
    """How the messages of one topic compare."""

    topic: str
    recorded: int = 0  # messages that were expected
    equal: int = 0
    different: int = 0
    missing: int = 0  # recorded, not computed again
    more: int = 0  # computed again, not recorded
    first: str = ""  # the first difference, in words

    @property
    def good(self) -> bool:
        return not (self.different or self.missing or self.more)

    def add(
        self, step: int, stamp_ns: int, recorded: Any | None, replayed: Any | None, unknown: Sequence[str] = ()
    ) -> None:
        """One message as it was recorded and as it was computed again; None: it was not. `unknown`: fields that were not recorded."""
        ignored = (*MEASURED.get(self.topic, ()), *unknown)
        where = f"step {step} at {stamp_ns / 1e9:.3f} s"
        self.recorded += recorded is not None
        if recorded is None:
            self.more += 1
            self._note(f"{where}: not recorded, but replayed")
        elif replayed is None:
            self.missing += 1
            self._note(f"{where}: recorded, but not replayed")
        elif difference := next(differences(recorded, replayed, ignored), None):
            self.different += 1
            self._note(f"{where}: {difference.field} was {difference.recorded!r}, is {difference.replayed!r}")
        else:
            self.equal += 1

    def _note(self, text: str) -> None:
        self.first = self.first or text


def table(tallies: Sequence[Tally]) -> str:
    """What was compared, as text in columns."""
    rows = [["topic", "compared", "equal", "different", "not replayed", "not recorded", "first difference"]]
    rows += [
        [t.topic, *map(str, (t.recorded, t.equal, t.different, t.missing, t.more)), t.first or "-"] for t in tallies
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def pair(
    expected: Sequence[Recorded], answers: Sequence[Recorded]
) -> Iterator[tuple[Recorded | None, Recorded | None]]:
    """Recorded and replayed messages of one topic and stamp, in order; None where one side has no more."""
    keys = sorted({(message.topic, message.stamp_ns) for message in (*expected, *answers)})
    for key in keys:
        yield from zip_longest(*([m for m in side if (m.topic, m.stamp_ns) == key] for side in (expected, answers)))
