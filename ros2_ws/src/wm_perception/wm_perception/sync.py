"""Pairs colour, depth and joints by stamp: one complete set per instant, whatever arrives late, twice or never."""

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MEMORY = 8  # instants kept per stream
MOST_STATES = 4096  # joint states that are remembered
PERIODS = 16  # intervals of a stream, of which the lower quartile is its period: frames that are lost make intervals longer only
# Shares of the period within which two images are of one frame: farther apart, the neighbour is nearer. Beyond one half, because
# stamps jitter; two cameras that nobody triggers together jitter both.
OF_ONE_CAMERA, OF_TWO_CAMERAS = 0.6, 0.75
UNKNOWN_PERIOD = 0.25  # share of the tolerance that is trusted before two frames have come
Stream = tuple[str, str]  # kind and camera


@dataclass
class _Pending:
    """Images of one instant, with the stamp of the oldest; `refused`: one within the tolerance belonged to another frame."""

    stamp_ns: int
    colour: dict[str, Any] = field(default_factory=dict)
    depth: dict[str, Any] = field(default_factory=dict)
    stamps: dict[Stream, int] = field(default_factory=dict)
    refused: bool = False

    def complete(self) -> list[str]:
        return sorted(self.colour.keys() & self.depth.keys())

    def add(self, stream: Stream, stamp_ns: int, image: Any) -> None:
        kind, camera = stream
        getattr(self, kind)[camera] = image
        self.stamps[stream] = stamp_ns
        self.stamp_ns = min(self.stamp_ns, stamp_ns)


@dataclass(frozen=True)
class ImageSet:
    """Images of one instant; `stamp_ns`: of the oldest image in it."""

    stamp_ns: int
    colour: dict[str, Any]
    depth: dict[str, Any]


class StampPairing:
    """Collects images until every camera has contributed, or until `timeout_ns` has passed on the newest stamp.

    An image joins the instant whose images are nearest in time, at most `tolerance_ns` away and never as far as the frame next
    to it: depth that comes a frame after its colour waits for nothing else, and is never paired with the colour that came
    meanwhile. `counts`: complete, partial (a camera was missing), missing (colour or depth never came), mismatched (what came
    within the tolerance was of another frame), late, duplicate, out_of_order, clock_jump, frozen.
    """

    def __init__(self, cameras: list[str], tolerance_ns: int, timeout_ns: int) -> None:
        if not cameras:
            raise ValueError("expected at least one camera, got none")
        self.cameras = list(cameras)
        self.counts: Counter[str] = Counter()
        self._tolerance = tolerance_ns
        self._timeout = timeout_ns
        self._begin_anew()

    @property
    def period_ns(self) -> float | None:
        """Of the cameras; None until it is known."""
        return self._period

    def colour(self, camera: str, stamp_ns: int, image: Any) -> list[ImageSet]:
        """Add a colour image; returns the sets that became ready, oldest first."""
        return self._add(("colour", camera), stamp_ns, image)

    def depth(self, camera: str, stamp_ns: int, image: Any) -> list[ImageSet]:
        """Add a depth image; returns the sets that became ready, oldest first."""
        return self._add(("depth", camera), stamp_ns, image)

    def _begin_anew(self) -> None:
        self._pending: list[_Pending] = []
        self._emitted: _Pending | None = None
        self._newest: dict[Stream, int] = {}
        self._intervals: dict[Stream, deque[int]] = {}
        self._period: float | None = None

    def _add(self, stream: Stream, stamp_ns: int, image: Any) -> list[ImageSet]:
        if stream[1] not in self.cameras:
            raise ValueError(f"expected a camera out of {self.cameras}, got '{stream[1]}'")
        newest = self._newest.get(stream)
        if newest is not None and stamp_ns < newest - 10 * self._timeout:
            self.counts["clock_jump"] += 1  # a bag was restarted or a simulation reset
            self._begin_anew()
        elif newest is not None and stamp_ns == newest:
            self.counts["duplicate"] += 1
            return []
        elif newest is not None and stamp_ns < newest:
            self.counts["out_of_order"] += 1
        self._follow_period(stream, stamp_ns)
        if self._too_late(stream, stamp_ns):
            self.counts["late"] += 1
            return []
        self._instant(stream, stamp_ns).add(stream, stamp_ns, image)
        self._pending.sort(key=lambda pending: pending.stamp_ns)
        if len(self._pending) > MEMORY:
            self._count_dropped(self._pending.pop(0))
        return self._ready(stamp_ns)

    def _follow_period(self, stream: Stream, stamp_ns: int) -> None:
        """The period is that of the fastest stream: the next frame of it is what an image could be mistaken for."""
        newest = self._newest.get(stream)
        if newest is None or stamp_ns > newest:
            self._newest[stream] = stamp_ns
        if newest is not None and stamp_ns > newest:
            self._intervals.setdefault(stream, deque(maxlen=PERIODS)).append(stamp_ns - newest)
            self._period = min(float(np.quantile(each, 0.25)) for each in self._intervals.values())

    def _within(self, share: float) -> float:
        """[ns] by which images of one frame may be apart."""
        return self._tolerance * UNKNOWN_PERIOD if self._period is None else min(self._tolerance, share * self._period)

    def _too_late(self, stream: Stream, stamp_ns: int) -> bool:
        """Whether the instant of an image is over: used, or used without this camera."""
        last = self._emitted
        if last is None:
            return False
        return stamp_ns <= last.stamps.get(stream, last.stamp_ns + self._within(OF_TWO_CAMERAS))

    def _instant(self, stream: Stream, stamp_ns: int) -> _Pending:
        """The instant that an image belongs to: of those that lack it the nearest, or a new one."""
        lacking = [pending for pending in self._pending if stream not in pending.stamps]
        near = [pending for pending in lacking if abs(pending.stamp_ns - stamp_ns) <= self._tolerance]
        apart = [self._apart(pending, stream, stamp_ns) for pending in near]
        fitting = [index for index, (_, fits) in enumerate(apart) if fits]
        if fitting:
            return near[min(fitting, key=lambda index: apart[index][0])]
        for pending in near:
            pending.refused = True
        pending = _Pending(stamp_ns, refused=bool(near))
        self._pending.append(pending)
        return pending

    def _apart(self, pending: _Pending, stream: Stream, stamp_ns: int) -> tuple[int, bool]:
        """[ns] between an image and its own camera's other one, else the instant, and whether they can be of one frame."""
        kind, camera = stream
        own = pending.stamps.get(("depth" if kind == "colour" else "colour", camera))
        apart = abs(stamp_ns - (pending.stamp_ns if own is None else own))
        return apart, apart <= self._within(OF_TWO_CAMERAS if own is None else OF_ONE_CAMERA)

    def _ready(self, now_ns: int) -> list[ImageSet]:
        sets = []
        for pending in list(self._pending):
            names = pending.complete()
            whole = len(names) == len(self.cameras)
            if not names or not (whole or now_ns - pending.stamp_ns > self._timeout):
                continue
            # Anything older will not become complete any more.
            for old in [each for each in self._pending if each.stamp_ns <= pending.stamp_ns]:
                self._pending.remove(old)
                if old is not pending:
                    self._count_dropped(old)
            self.counts["complete" if whole else "partial"] += 1
            self._emitted = pending
            colour, depth = ({name: images[name] for name in names} for images in (pending.colour, pending.depth))
            sets.append(ImageSet(pending.stamp_ns, colour, depth))
        return sets

    def _count_dropped(self, pending: _Pending) -> None:
        self.counts["mismatched" if pending.refused else "missing"] += 1


class JointHistory:
    """The joint states of the last seconds, whatever their rate; gives the positions nearest to a stamp."""

    def __init__(self, memory: float = 2.0) -> None:
        """`memory` [s]: how late images may come."""
        self._states: deque[tuple[int, Any]] = deque(maxlen=MOST_STATES)
        self._memory_ns = round(memory * 1e9)

    def add(self, stamp_ns: int, positions: Any) -> None:
        if self._states and stamp_ns < self._states[-1][0]:
            self._states.clear()  # the clock jumped back
        self._states.append((stamp_ns, positions))
        while stamp_ns - self._states[0][0] > self._memory_ns:
            self._states.popleft()

    def clear(self) -> None:
        """Forget all of them."""
        self._states.clear()

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest state; None without any."""
        return self._states[-1][0] if self._states else None

    def nearest(self, stamp_ns: int, tolerance_ns: int) -> Any | None:
        """Positions within `tolerance_ns` of a stamp; None without."""
        if not self._states:
            return None
        after = bisect_left(self._states, stamp_ns, key=lambda state: state[0])
        around = [self._states[i] for i in (after - 1, after) if 0 <= i < len(self._states)]
        stamp, positions = min(around, key=lambda state: abs(state[0] - stamp_ns))
        return positions if abs(stamp - stamp_ns) <= tolerance_ns else None
