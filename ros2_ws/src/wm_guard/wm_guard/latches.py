"""Stops that stay until somebody clears them, and when the guard sets one by itself."""

from collections import deque

import numpy as np

from wm_core.kinematics import Kinematics
from wm_guard.limits import Refusal

NS = 1_000_000_000
E_STOP = "e_stop"
NOT_FOLLOWING = "not_following"
TIMES, WITHIN_S = 15, 60.0  # so many holds of an arm that does not follow
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 4.0  # from the first such hold to the next try, then twice as long each time
TOO_FAST = 1.5  # times the velocity limit, measured, so many times in a row:
IN_A_ROW = 3
SHORTEST_S, LONGEST_S = 0.02, 0.5  # between two joint states whose difference is a velocity


class Latches:
    """`held`: the stops that are set, by reason, with the rest of it in words."""

    def __init__(self, kinematics: Kinematics) -> None:
        self.held: dict[str, str] = {}
        self._kinematics = kinematics
        self._lost: deque[int] = deque(maxlen=TIMES)
        self.placed()

    def placed(self) -> None:
        """The arm was put elsewhere: what was measured before says nothing."""
        self._last: tuple[np.ndarray, int] | None = None
        self._fast = 0
        self._where = ""

    def measured(self, q: np.ndarray, stamp_ns: int) -> None:
        """A joint state (n,) [rad] that is believed."""
        if self._last is not None and 0 <= stamp_ns - self._last[1] < SHORTEST_S * NS:
            return  # noise, and what another publisher says, would look like speed
        if self._last is not None and 0 < stamp_ns - self._last[1] <= LONGEST_S * NS:
            speed = np.abs(q - self._last[0]) / ((stamp_ns - self._last[1]) / NS)
            joint = int((speed / self._kinematics.velocity).argmax())
            fast = speed[joint] > TOO_FAST * self._kinematics.velocity[joint]
            self._fast = self._fast + 1 if fast else 0
            if fast:
                limit = self._kinematics.velocity[joint]
                self._where = (
                    f"{self._kinematics.joint_names[joint]} moves at {speed[joint]:.1f} rad/s, allowed are {limit:.1f}"
                )
        self._last = q, stamp_ns

    def held_for(self, reason: str, now_ns: int) -> None:
        """The arm begins to be held."""
        if reason == NOT_FOLLOWING:
            self._lost.append(now_ns)

    def remember(self) -> None:
        """For `forget_since`."""
        self._lost_before = self._lost.copy()

    def forget_since(self) -> None:
        """No hold began since `remember`."""
        self._lost = self._lost_before

    def check_wait(self, now_ns: int) -> None:
        """Raises Refusal where the arm did not follow a moment ago."""
        if not self._lost or now_ns < self._lost[-1]:
            return
        recent = sum(now_ns - each <= WITHIN_S * NS for each in self._lost)
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (recent - 1)) if recent else 0.0
        if now_ns - self._lost[-1] < wait_s * NS:
            raise Refusal(
                NOT_FOLLOWING,
                f"the arm did not follow {recent} times in {WITHIN_S:g} s: the next command passes {wait_s:g} s after the last time",
            )

    def found(self, now_ns: int) -> tuple[str, str] | None:
        """What must be latched now, reason and text; once."""
        if self._fast >= IN_A_ROW:
            self._fast = 0
            return "limit_violation", f"{self._where}; who moves the arm?"
        if len(self._lost) == TIMES and 0 <= now_ns - self._lost[0] <= WITHIN_S * NS:
            self._lost.clear()
            return NOT_FOLLOWING, f"the arm did not follow {TIMES} times in {WITHIN_S:g} s; is its controller active?"
        return None

    def refusal(self) -> Refusal:
        """Of a command while a stop is set; raises StopIteration while none is."""
        reason, text = next(iter(self.held.items()))
        how = "wm/e_stop_reset" if reason == E_STOP else "wm/clear"
        return Refusal(reason, f"stopped: {text}; call {how} first")
