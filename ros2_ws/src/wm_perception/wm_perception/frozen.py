"""Cameras that repeat their image although the arm moves: their drivers hang."""

from typing import Any

import numpy as np

from wm_core.images import ImageError
from wm_perception.sync import JointHistory

LONGEST_GAP = 0.2  # [s] between two joint states; after a longer one too, a tool is not believed to be farther away
FROZEN_MOTION = 0.02  # [m] the tool moves this far while a working camera's image changes


class FrozenError(ImageError):
    """An image of a camera that is frozen."""


class FrozenCameras:
    """Images of a camera that repeats them while the arm moves are to be refused, so that the guard stops the arm."""

    def __init__(self, repeats: int, fastest: float) -> None:
        """`repeats`: identical images in a row; `fastest` [m/s] of the tool: beyond it joint states have lied."""
        self._detector, self._travel = FrozenDetector(repeats), Travel(fastest)

    def moved(self, stamp_ns: int, tool: np.ndarray) -> None:
        """Where the tool (3,) [m] was at a joint state."""
        self._travel.moved(stamp_ns, tool)

    def check(self, camera: str, stamp_ns: int, data: Any, tolerance_ns: int) -> None:
        """An image came, with these bytes; raises FrozenError. `tolerance_ns`: between it and a joint state."""
        repeated = self._detector.update(camera, data)
        if not self._detector.repeating(camera):
            self._travel.begin(camera)
        if self._travel.since(camera, stamp_ns, tolerance_ns) > FROZEN_MOTION and repeated:
            raise FrozenError(
                "expected changing images while the arm moves, got the same one again and again; restart the camera"
            )


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
    """How far the tool has come since a camera's images began to repeat, by joint states. Leaps that no arm makes are left out: the
    joint states have lied, or do now, and nothing is known of a motion.
    """

    def __init__(self, fastest: float) -> None:
        """`fastest` [m/s]: beyond it a motion is a leap."""
        self._fastest = fastest
        self._way = np.zeros(3)
        self._last: tuple[int, np.ndarray] | None = None
        self._ways = JointHistory()
        self._start: dict[str, np.ndarray] = {}
        self._seen_ns: dict[str, int] = {}  # stamp of each camera's newest image

    def moved(self, stamp_ns: int, tool: np.ndarray) -> None:
        """Where the tool (3,) [m] was at a joint state."""
        if self._last is not None:
            step, seconds = tool - self._last[1], min(abs(stamp_ns - self._last[0]) / 1e9, LONGEST_GAP)
            if float(np.linalg.norm(step)) <= self._fastest * seconds:
                self._way = self._way + step
        self._last = (stamp_ns, tool)
        self._ways.add(stamp_ns, self._way)

    def begin(self, camera: str) -> None:
        """The camera's image is another than the one before."""
        self._start.pop(camera, None)

    def since(self, camera: str, stamp_ns: int, tolerance_ns: int) -> float:
        """From where the tool was at the first of the camera's equal images to where it was at this one [m]; 0 where no joint state
        says it.
        """
        back_ns = self._seen_ns.get(camera, stamp_ns) - stamp_ns
        if back_ns > LONGEST_GAP * 1e9:  # the clock jumped back: where the tool was at these stamps before says nothing
            self._ways.clear()
            self._start.clear()
            self._seen_ns.clear()
        self._seen_ns[camera] = stamp_ns
        way = self._ways.nearest(stamp_ns, tolerance_ns)
        if way is None:  # a start in the wrong place would refuse the images of an arm at rest for ever
            return 0.0
        return float(np.linalg.norm(way - self._start.setdefault(camera, way)))
