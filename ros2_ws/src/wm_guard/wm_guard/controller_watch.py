"""Whether the arm's controller is there and active, by whether it listens and speaks; and where it goes on when it is so again."""

import time
from collections.abc import Callable

import numpy as np

from wm_guard.requests import NS

INACTIVE = "controller_inactive"
SILENT_S = 0.1  # a controller says so at each of its cycles, at least 50 times a second
REST_S = 0.1  # for which the arm must stay where it is
STILL = 0.002  # [rad] within that time


class ControllerWatch:
    """A controller that becomes active holds the arm where that is, whatever it was sent before. A pause in what it says may also be
    the network's or the computer's: the arm is then still on its way. In both cases it is where it is measured once it rests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` [s]: does not jump."""
        self._clock = clock
        self._heard_s: float | None = None  # None: never; a controller that says nothing is not known to be inactive
        self._still: tuple[np.ndarray, int] | None = (
            None  # joints (n,) [rad] near which the arm is, and since when [ns]
        )
        self._waits = False  # for an arm at rest
        self._listened = False  # somebody, at some time: where what was recorded is judged anew nobody ever does
        self._gone = False

    def heard(self) -> None:
        """The controller said something."""
        now_s = self._clock()
        if self._heard_s is None or now_s - self._heard_s > SILENT_S:
            self._waits, self._still = True, None
        self._heard_s = now_s

    def listens(self, somebody: bool) -> None:
        """Whether somebody takes trajectories: a controller that is gone, or cut off, does not."""
        if somebody and self._gone:
            self._waits, self._still = True, None
        self._listened = self._listened or somebody
        self._gone = self._listened and not somebody

    def measured(self, q: np.ndarray, stamp_ns: int) -> bool:
        """Joints (n,) [rad] of a joint state, believed or not; True, once, when the arm rests under a controller that became active."""
        if not self._waits or self._silent() or self._gone:
            return False
        if self._still is None or np.abs(q - self._still[0]).max() > STILL or stamp_ns < self._still[1]:
            self._still = q, stamp_ns
        self._waits = stamp_ns - self._still[1] < REST_S * NS
        return not self._waits

    def problem(self) -> str:
        """Why nothing may be sent to the arm; empty: it may."""
        if self._gone:
            return "nobody takes the arm's trajectories any more: does its controller run?"
        if self._silent():
            return f"the arm's controller has said nothing for {SILENT_S:g} s: is it active? (ros2 control list_controllers)"
        return "the arm's controller became active: waits until the arm rests" if self._waits else ""

    def _silent(self) -> bool:
        return self._heard_s is not None and self._clock() - self._heard_s > SILENT_S
