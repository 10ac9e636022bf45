"""Faults of sensors and arm that a simulator can have on request, so that what they do to the rest can be tried.

A fault is begun for a time and ends by itself. What comes from sensors passes through `messages`, what goes to the arm through `arm`.
"""

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sensor_msgs.msg import Image, JointState

from wm_sim.camera_profile import COLOUR_CHANNELS
from wm_sim.conversions import copied

COLOUR, DEPTH, JOINTS, ARM, CLOCK = "colour", "depth", "joints", "arm", "clock"
PUSHED = "pushed"  # a person turns its first joint, and lets go at the end
CUT = "cut"  # the middleware does not carry it: its endpoint matches none of the others
DARK = (18, 12, 10, 255)  # red, green, blue, opaque under a hand before the lens
SENSOR_FAULTS = ("drop", "freeze", "stuck", "delay", "reorder", "nan", "wrong_size", CUT)
KINDS = {
    COLOUR: (*SENSOR_FAULTS, "black", "covered", "swapped"),
    DEPTH: (*SENSOR_FAULTS, "black", "covered"),
    JOINTS: (*SENSOR_FAULTS, "zeros"),
    ARM: ("stuck", "inactive", PUSHED, CUT),
    CLOCK: ("jump",),
}


class FaultError(ValueError):
    """A fault that this simulator does not have: says which there are."""


@dataclass
class Fault:
    """`target` and `kind` as in KINDS; `amount`: [s] of delay and jump, [rad] of a push; lasts until `end_ns`."""

    target: str
    kind: str
    amount: float
    begin_ns: int
    end_ns: int
    kept: deque[Any] = field(default_factory=deque)  # messages that come later or again: stream, time, message


class Faults:
    """The faults that are on now. Times are those of the world [ns], before a clock fault."""

    def __init__(self) -> None:
        self._on: list[Fault] = []

    def begin(self, target: str, kind: str, amount: float, duration: float, now_ns: int) -> None:
        """Begin a fault for `duration` [s]; raises FaultError for one that is not known."""
        if kind not in KINDS.get(target, ()):
            known = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in KINDS.items())
            raise FaultError(f"expected a fault out of {known}; got '{kind}' of '{target}'")
        if not (np.isfinite([amount, duration]).all() and duration > 0):
            raise FaultError(f"expected a finite amount and a duration above 0, got {amount} and {duration}")
        self._on.append(Fault(target, kind, amount, now_ns, now_ns + round(duration * 1e9)))

    def clear(self) -> None:
        """End all at once."""
        self._on.clear()

    @property
    def names(self) -> list[str]:
        """Those that are on, as `target kind`."""
        return [f"{fault.target} {fault.kind}" for fault in self._on]

    def arm(self, now_ns: int) -> str:
        """How the arm fails: `stuck` (does not move), `inactive` (its controller takes nothing), `cut` or empty."""
        return next((fault.kind for fault in self._active(ARM, now_ns) if fault.kind != PUSHED), "")

    def push(self, now_ns: int) -> float | None:
        """How far a person has turned the arm's first joint by now [rad]; None: nobody touches it."""
        pushes = [fault for fault in self._active(ARM, now_ns) if fault.kind == PUSHED]
        if not pushes:
            return None
        shares = ((now_ns - fault.begin_ns) / (fault.end_ns - fault.begin_ns) for fault in pushes)
        return sum(fault.amount * np.sin(np.pi / 2 * share) for fault, share in zip(pushes, shares, strict=True))

    def cut(self, target: str, now_ns: int) -> bool:
        """Whether what comes from or goes to a target is cut off from everybody."""
        return any(fault.kind == CUT for fault in self._active(target, now_ns))

    def clock_ns(self, now_ns: int) -> int:
        """The time that stamps say at a time of the world."""
        return now_ns + round(1e9 * sum(fault.amount for fault in self._active(CLOCK, now_ns)))

    def messages(self, stream: str, target: str, message: Any, now_ns: int) -> Iterator[Any]:
        """What is published in place of a sensor's message: it, another, several or none. `stream`: keeps cameras apart."""
        found = [message]
        for fault in self._active(target, now_ns):
            found = [after for before in found for after in _apply(fault, stream, before, now_ns)]
        yield from found

    def _active(self, target: str, now_ns: int) -> list[Fault]:
        self._on = [fault for fault in self._on if now_ns < fault.end_ns]
        return [fault for fault in self._on if fault.target == target]


def _apply(fault: Fault, stream: str, message: Any, now_ns: int) -> list[Any]:
    kept = fault.kept
    if fault.kind == "drop":
        return []
    if fault.kind == CUT:
        return [message]
    if fault.kind in ("freeze", "stuck"):  # the last message again: as it was, or with new stamps
        held = next((each for name, _, each in kept if name == stream), None)
        if held is None:
            kept.append((stream, now_ns, held := copied(message)))
        if fault.kind == "stuck":
            held.header.stamp = message.header.stamp
        return [held]
    if fault.kind == "delay":
        kept.append((stream, now_ns + round(1e9 * fault.amount), copied(message)))
        due = [each for each in kept if each[0] == stream and each[1] <= now_ns]
        for each in due:
            kept.remove(each)
        return [each for _, _, each in due]
    if fault.kind == "reorder":  # two at a time, the later one first
        earlier = next((each for each in kept if each[0] == stream), None)
        if earlier is None:
            kept.append((stream, now_ns, copied(message)))
            return []
        kept.remove(earlier)
        return [message, earlier[2]]
    return [_spoil(fault.kind, copied(message))]


def _spoil(kind: str, message: Any) -> Any:
    return _spoil_joints(kind, message) if isinstance(message, JointState) else _spoil_image(kind, message)


def _spoil_joints(kind: str, message: JointState) -> JointState:
    if kind == "nan":
        message.position = [float("nan")] * len(message.position)
    elif kind == "zeros":
        message.position = [0.0] * len(message.position)
    else:
        message.position = list(message.position)[:-2]
    return message


def _spoil_image(kind: str, message: Image) -> Image:
    channels = COLOUR_CHANNELS.get(message.encoding, ())
    if kind == "wrong_size":
        message.height //= 2  # and yet all data
    elif kind == "black":
        message.data = array("B", bytes(len(message.data)))
    elif kind == "covered":  # a hand before the lens: dark all over, nothing that far
        pixel = bytes(DARK[channel] for channel in channels) or bytes(1)
        message.data = array("B", pixel * (len(message.data) // len(pixel)))
    elif kind == "swapped":
        swapped = [2, 1, 0, *range(3, len(channels))]
        message.data = array(
            "B", np.frombuffer(message.data, np.uint8).reshape(-1, len(channels))[:, swapped].tobytes()
        )
    elif kind == "nan":
        size = message.height * message.width
        noise = np.full(size, np.nan, "<f4") if message.encoding == "32FC1" else np.full(size, 65535, "<u2")
        message.data = array("B", bytes([255]) * len(message.data) if channels else noise.tobytes())
    return message
