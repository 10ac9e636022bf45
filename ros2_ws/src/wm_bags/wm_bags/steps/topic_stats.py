"""What the messages of one topic are like: rate, gaps, stamps, sizes, and what repeats or is not finite."""

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wm_bags.storage.cdr import HEADERLESS, image_head, same_picture, stamp_of
from wm_bags.storage.reading import Message

GAP = 2.0  # medians between two messages from which on it is a gap
RATE = 0.2  # share by which a rate may be off the profile's
MEASURED = ("colour", "depth", "joints")  # roles whose stamps must rise


@dataclass
class TopicStats:
    """Collects the messages of a topic. Memory: 16 bytes a message."""

    name: str
    type: str
    role: str = ""
    expected_hz: float | None = None
    logs: array = field(default_factory=lambda: array("q"))  # [ns]
    stamps: array = field(default_factory=lambda: array("q"))  # [ns]; empty for messages without a header
    forms: Counter = field(default_factory=Counter)  # encodings or formats, with sizes
    names: Counter = field(default_factory=Counter)  # of joints
    nan: int = 0  # messages with a number that is not finite
    frozen: int = 0  # images that repeat the one before
    longest_frozen: int = 0
    _sets: array = field(
        default_factory=lambda: array("H")
    )  # which of `names` each message has: each has its own clock
    _digest: int | None = None
    _last: bytes = b""
    _run: int = 0

    def add(self, message: Message, content: Any = None) -> None:
        """Take a message, and its content where that is of interest (joint states)."""
        if content is None:
            self.logs.append(message.log_ns)
            if self.role and message.type not in HEADERLESS:
                self.stamps.append(stamp_of(message.data))
            if self.role.endswith(("colour", "depth")):
                self._image(message)
        elif hasattr(content, "name") and hasattr(content, "position"):
            names = tuple(content.name)
            self.names[names] += 1
            self._sets.append(list(self.names).index(names))
            self.nan += not math.isfinite(sum(content.position))

    def _image(self, message: Message) -> None:
        try:
            head = image_head(message.data, message.type)
        except ValueError as error:
            self.forms[str(error)] += 1
            return
        self.forms[f"{head.form}, {head.size[0]} x {head.size[1]}" if head.size else head.form] += 1
        same = (
            head.digest is not None
            and head.digest == self._digest
            and same_picture(message.data, self._last, message.type)
        )
        self._run = self._run + 1 if same else 0
        self._digest, self._last = head.digest, message.data
        self.frozen += self._run > 0
        self.longest_frozen = max(self.longest_frozen, self._run + 1 if self._run else 0)

    @property
    def repeats(self) -> bool:
        """Whether the last image is the same as the one before."""
        return self._run > 0

    def facts(self) -> dict[str, Any]:
        """All figures, and `faults`: in words, what is wrong with them."""
        often, *others = self._steps()
        rising, steps = often[often > 0], np.concatenate([often, *others])
        median = float(np.median(rising)) if len(rising) else None
        facts: dict[str, Any] = {
            "type": self.type,
            "role": self.role,
            "messages": len(self.logs),
            "rate_hz": len(rising) / float(rising.sum()) if len(rising) else None,
            "median_gap_s": median,
            "max_gap_s": float(rising.max()) if len(rising) else None,
            "gaps": int((rising > GAP * median).sum()) if median else 0,
            "repeated_stamps": int((steps == 0).sum()) if self.stamps else 0,
            "clock_jumps": int((steps < -0.1).sum()) if self.stamps else 0,
            "out_of_order": int(((steps < 0) & (steps >= -0.1)).sum()) if self.stamps else 0,
            "not_finite": self.nan,
            "repeated_images": self.frozen,
            "longest_repetition": self.longest_frozen,
            "forms": dict(self.forms),
            "joint_names": [list(names) for names in self.names],
            "stamp_minus_receipt_ms": self._offsets(),
        }
        return facts | {"faults": self._faults(facts)}

    def _steps(self) -> list[np.ndarray]:
        """Seconds between messages; of each publisher's, where joint states of several come on one topic, the busiest first."""
        times = np.array(self.stamps or self.logs, np.int64)
        if len(self.names) < 2 or len(self._sets) != len(times):
            return [np.diff(times) / 1e9]
        sets, order = np.array(self._sets), list(self.names)
        return [np.diff(times[sets == order.index(names)]) / 1e9 for names, _ in self.names.most_common()]

    def _offsets(self) -> dict[str, float] | None:
        """Of the stamps against the time of receipt [ms]."""
        if not self.stamps:
            return None
        offsets = (np.array(self.stamps, np.int64) - np.array(self.logs, np.int64)) / 1e6
        return {name: float(getattr(np, name)(offsets)) for name in ("min", "median", "max")}

    def _faults(self, facts: dict[str, Any]) -> list[str]:
        faults = []
        if not facts["messages"]:
            faults.append("no messages")
        rate = facts["rate_hz"]
        if self.expected_hz and rate and abs(rate - self.expected_hz) > RATE * self.expected_hz:
            faults.append(f"{rate:.1f} Hz, expected {self.expected_hz:g}")
        if facts["gaps"] and self.role.endswith(MEASURED):
            faults.append(f"gaps: {facts['gaps']}, the longest {facts['max_gap_s']:.3f} s")
        for name, words in (
            ("clock_jumps", "jumps of the clock"),
            ("out_of_order", "stamps out of order"),
            ("repeated_stamps", "stamps twice"),
            ("not_finite", "messages with NaN or infinity"),
        ):
            if facts[name] and self.role.endswith(MEASURED):
                faults.append(f"{facts[name]} {words}")
        if len(facts["forms"]) > 1:
            faults.append(f"changes of encoding or size: {', '.join(facts['forms'])}")
        offsets = facts["stamp_minus_receipt_ms"]
        # Simulated time is far off the time of receipt throughout; then the difference says nothing.
        if offsets and abs(offsets["median"]) < 1e4 and offsets["max"] > 1:
            faults.append(f"stamps up to {offsets['max']:.0f} ms after the receipt")
        return faults
