"""The topics that perception listens to: when each was last heard, and what to do about one that is silent. Pure: no ROS."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from wm_core import publishers
from wm_core.publishers import in_words

SILENT_S = 2.0
UNINFORMED_S = 3.0  # of images without a camera_info
COLOUR, DEPTH, INFO, JOINTS = "colour", "depth", "info", "joints"
PARAMETERS = {kind: f"{kind}_topic" for kind in (COLOUR, DEPTH, INFO)} | {JOINTS: "joint_topic"}
TYPES = {
    COLOUR: publishers.IMAGE,
    DEPTH: publishers.IMAGE,
    INFO: publishers.INFO,
    JOINTS: publishers.JOINTS,
}


@dataclass
class _Stream:
    """`first`, `last`: times [s] at which it was heard; None: never, since the node is active."""

    topic: str
    first: float | None = None
    last: float | None = None


class Streams:
    """By kind, and by camera but for the joints."""

    def __init__(self, publishers: Callable[[str, str], str], clock: Callable[[], float] = time.monotonic) -> None:
        """`publishers`: says in words who publishes on a topic of a type; `clock` [s]: one that nobody sets."""
        self._publishers, self._clock = publishers, clock
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._informed: set[str] = set()
        self._began = clock()

    def add(self, kind: str, topic: str, camera: str = "") -> None:
        """A topic, in full, is subscribed."""
        self._streams[kind, camera] = _Stream(topic)

    def begin(self) -> None:
        """The node hears from now on."""
        self._began = self._clock()
        for stream in self._streams.values():
            stream.first = stream.last = None

    def heard(self, kind: str, camera: str = "") -> None:
        """A message came, whatever is in it."""
        stream, now = self._streams[kind, camera], self._clock()
        stream.first, stream.last = now if stream.first is None else stream.first, now

    def informed(self, camera: str) -> None:
        """A camera_info could be used: it is known from now on, also where it comes once only."""
        self._informed.add(camera)

    def awaits_info(self, camera: str) -> bool:
        """Whether its first camera_info may still be on its way: images that do not fit the rig's size are no news until then."""
        return camera not in self._informed and camera not in self._uninformed()

    def silent(self) -> list[str]:
        """Of each topic that was not heard for SILENT_S: since when, who publishes there, and which parameter names another."""
        found, uninformed = [], self._uninformed()
        for (kind, camera), stream in self._streams.items():
            seconds = self._clock() - (self._began if stream.last is None else stream.last)
            said = kind == INFO and (camera in self._informed or camera in uninformed)
            if seconds > SILENT_S and not said:
                who = self._publishers(stream.topic, TYPES[kind])
                found.append(in_words(stream.topic, who, PARAMETERS[kind], f"for {seconds:.0f} s"))
        return found

    def uninformed(self) -> dict[str, str]:
        """Cameras whose images come without a camera_info that can be used: what that means, by name."""
        return {camera: self._without_info(self._streams[INFO, camera].topic) for camera in self._uninformed()}

    def _uninformed(self) -> list[str]:
        return [
            camera
            for (kind, camera), stream in self._streams.items()
            if kind == COLOUR
            and camera not in self._informed
            and stream.first is not None
            and self._clock() - stream.first > UNINFORMED_S
        ]

    def _without_info(self, topic: str) -> str:
        who = self._publishers(topic, TYPES[INFO])
        return f"no camera_info on {topic} ({who}): the rig's field of view is used, without distortion; set {PARAMETERS[INFO]}"
