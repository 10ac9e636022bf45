"""Pairs colour, depth and joints by stamp: one complete set per instant, whatever arrives late, twice or never."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MEMORY = 8  # instants kept per stream
LEAP_SPEED = 2.0  # [m/s] that no tool has
LONGEST_GAP = 0.2  # [s] between two images; after a longer one too, a tool is not believed to be farther away


@dataclass
class _Pending:
    stamp_ns: int
    colour: dict[str, Any] = field(default_factory=dict)
    depth: dict[str, Any] = field(default_factory=dict)

    def complete(self) -> list[str]:
        return sorted(self.colour.keys() & self.depth.keys())


@dataclass(frozen=True)
class ImageSet:
    """Images of one instant; `stamp_ns`: of the oldest image in it."""

    stamp_ns: int
    colour: dict[str, Any]
    depth: dict[str, Any]


class StampPairing:
    """Collects images until every camera has contributed, or until `timeout_ns` has passed on the newest stamp.

    `counts`: complete, partial (a camera was missing), late, duplicate, out_of_order, clock_jump, frozen.
    """

    def __init__(self, cameras: list[str], tolerance_ns: int, timeout_ns: int) -> None:
        if not cameras:
            raise ValueError("expected at least one camera, got none")
        self.cameras = list(cameras)
        self.counts: Counter[str] = Counter()
        self._tolerance = tolerance_ns
        self._timeout = timeout_ns
        self._pending: list[_Pending] = []
        self._emitted_ns: int | None = None
        self._newest: dict[tuple[str, str], int] = {}

    def colour(self, camera: str, stamp_ns: int, image: Any) -> list[ImageSet]:
        """Add a colour image; returns the sets that became ready, oldest first."""
        return self._add("colour", camera, stamp_ns, image)

    def depth(self, camera: str, stamp_ns: int, image: Any) -> list[ImageSet]:
        """Add a depth image; returns the sets that became ready, oldest first."""
        return self._add("depth", camera, stamp_ns, image)

    def _add(self, kind: str, camera: str, stamp_ns: int, image: Any) -> list[ImageSet]:
        if camera not in self.cameras:
            raise ValueError(f"expected a camera out of {self.cameras}, got '{camera}'")
        newest = self._newest.get((kind, camera))
        if newest is not None and stamp_ns < newest - 10 * self._timeout:
            self.counts["clock_jump"] += 1  # a bag was restarted or a simulation reset: begin anew
            self._pending.clear()
            self._newest.clear()
            self._emitted_ns = None
        elif newest is not None and stamp_ns == newest:
            self.counts["duplicate"] += 1
            return []
        elif newest is not None and stamp_ns < newest:
            self.counts["out_of_order"] += 1
        self._newest[kind, camera] = max(stamp_ns, self._newest.get((kind, camera), stamp_ns))
        if self._emitted_ns is not None and stamp_ns <= self._emitted_ns + self._tolerance:
            self.counts["late"] += 1
            return []
        getattr(self._slot(stamp_ns), kind)[camera] = image
        return self._ready(stamp_ns)

    def _slot(self, stamp_ns: int) -> _Pending:
        for pending in self._pending:
            if abs(pending.stamp_ns - stamp_ns) <= self._tolerance:
                pending.stamp_ns = min(pending.stamp_ns, stamp_ns)
                return pending
        pending = _Pending(stamp_ns)
        self._pending.append(pending)
        self._pending.sort(key=lambda p: p.stamp_ns)
        if len(self._pending) > MEMORY:
            self.counts["missing"] += 1
            self._pending.pop(0)
        return pending

    def _ready(self, now_ns: int) -> list[ImageSet]:
        sets = []
        for pending in list(self._pending):
            names = pending.complete()
            whole = len(names) == len(self.cameras)
            overdue = now_ns - pending.stamp_ns > self._timeout
            if not whole and not overdue:
                continue
            # Anything older will not become complete any more.
            for old in [p for p in self._pending if p.stamp_ns <= pending.stamp_ns]:
                self._pending.remove(old)
                if old is not pending:
                    self.counts["missing"] += 1
            if names:
                self.counts["complete" if whole else "partial"] += 1
                self._emitted_ns = pending.stamp_ns
                sets.append(
                    ImageSet(
                        pending.stamp_ns, {n: pending.colour[n] for n in names}, {n: pending.depth[n] for n in names}
                    )
                )
            else:
                self.counts["missing"] += 1
        return sets


class FrozenDetector:
    """Tells when a camera repeats the same bytes: its driver hangs although messages still come."""

    def __init__(self, repeats: int = 10) -> None:
        self._repeats = repeats
        self._last: dict[str, tuple[int, int]] = {}

    def update(self, camera: str, data: bytes) -> bool:
        """Add an image's bytes; True when the last `repeats` were identical."""
        digest = hash(bytes(memoryview(data)[::97]))
        previous, count = self._last.get(camera, (0, 0))
        count = count + 1 if digest == previous else 1
        self._last[camera] = (digest, count)
        return count >= self._repeats

    def repeating(self, camera: str) -> bool:
        """Whether the camera's last image equalled the one before."""
        return self._last.get(camera, (0, 0))[1] > 1


class Travel:
    """How far the tool has come since a camera's images began to repeat. After a leap that no arm makes it is counted anew: the joint
    states have lied, or do now, and nothing is known of a motion.
    """

    def __init__(self) -> None:
        self._start: dict[str, np.ndarray] = {}
        self._last: dict[str, tuple[int, np.ndarray]] = {}

    def begin(self, camera: str) -> None:
        """The camera's image is another than the one before."""
        self._start.pop(camera, None)

    def update(self, camera: str, stamp_ns: int, tool: np.ndarray) -> float:
        """Add where the tool (3,) [m] was at an image; returns how far that is from where it was at the first one like it [m]."""
        before_ns, before = self._last.get(camera, (stamp_ns, tool))
        self._last[camera] = (stamp_ns, tool)
        seconds = min(abs(stamp_ns - before_ns) / 1e9, LONGEST_GAP)
        if float(np.linalg.norm(tool - before)) > LEAP_SPEED * seconds:
            self.begin(camera)
        return float(np.linalg.norm(tool - self._start.setdefault(camera, tool)))


class JointHistory:
    """Recent joint states; gives the positions nearest to a stamp."""

    def __init__(self, memory: int = 64) -> None:
        self._states: list[tuple[int, Any]] = []
        self._memory = memory

    def add(self, stamp_ns: int, positions: Any) -> None:
        if self._states and stamp_ns < self._states[-1][0]:
            self._states.clear()  # the clock jumped back
        self._states.append((stamp_ns, positions))
        del self._states[: -self._memory]

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest state; None without any."""
        return self._states[-1][0] if self._states else None

    def nearest(self, stamp_ns: int, tolerance_ns: int) -> Any | None:
        """Positions within `tolerance_ns` of a stamp; None without."""
        if not self._states:
            return None
        stamp, positions = min(self._states, key=lambda state: abs(state[0] - stamp_ns))
        return positions if abs(stamp - stamp_ns) <= tolerance_ns else None
