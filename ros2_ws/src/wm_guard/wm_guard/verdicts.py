"""What the guard answers, and what state it is in."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from wm_core.joint_path import JointPath
from wm_core.kinematics import Kinematics
from wm_core.scene import ToolState
from wm_guard.limits import Motion
from wm_guard.motions import Motions, Sent


class Kind(Enum):
    PASS = "pass"
    LIMITED = "limited"  # slowed so that the limits hold
    REFUSED = "refused"  # a command answered with a hold
    HOLD = "hold"  # sent by the guard itself: watchdog, emergency stop, deactivation


class Mode(Enum):
    WAITING = "waiting"  # no command yet: the guard has nothing to hold
    PASSING = "passing"
    HOLDING = "holding"  # until the next valid command
    STOPPED = "stopped"  # latched: until it is cleared


class Why(NamedTuple):
    """`reason`: short code, empty for PASS; `text`: the rest."""

    kind: Kind
    reason: str = ""
    text: str = ""

    def but(self, text: str) -> "Why":
        return self._replace(text=f"{self.text}; {text}")


@dataclass(frozen=True)
class Verdict:
    """What becomes of a command, and what goes to the arm.

    `motion`: what the arm does from then on, in straight lines, as `wm/executed` has it; `sent`: the smooth motion that goes to
    the arm, by which it lags behind its command. Both are None only when no joint position is known, so that not even a hold can be sent.
    `reason` and `text` as of Why. `effective_ns`: when `motion` starts; `tool_start`,
    `tool_end` (6,): commanded tool then and at the end, NaN where it is not known. `expected`: no news, for the arm was just
    placed elsewhere or is stopped already.
    """

    kind: Kind
    reason: str
    text: str
    motion: Motion | None
    sent: Sent | None
    effective_ns: int
    tool_start: ToolState
    tool_end: ToolState
    expected: bool = False
    speed_scale: float = 1.0  # share of the speed that was asked for


def answer(
    kinematics: Kinematics,
    motions: Motions,
    why: Why,
    stamp_ns: int,
    ends_ns: np.ndarray,
    points: np.ndarray,
    sent: Sent,
    now_ns: int,
    lag_ns: int = 0,
    here: np.ndarray | None = None,
) -> Verdict:
    """The arm of `motions` is at `points` (T, n) at `ends_ns` (T,) and the lag; `stamp_ns` 0 starts it on arrival. `here` (n,): where it
    was commanded until now, None: it is still.
    """
    effective_ns = max(stamp_ns, now_ns + lag_ns)
    start_ns = 0 if not stamp_ns else effective_ns if lag_ns else stamp_ns
    start, end = motions.commanded(effective_ns - lag_ns), points[-1]
    if here is not None:  # `motions` has the end alone of a motion that it could not smooth
        path = JointPath()
        path.replace(now_ns, ends_ns, np.vstack([here, points]))
        start = path.at(effective_ns - lag_ns)
    return Verdict(
        *why,
        Motion(start_ns, ends_ns + lag_ns - (start_ns or effective_ns), points),
        sent.stamped(min(stamp_ns, now_ns), now_ns),
        effective_ns,
        kinematics.tool(start),
        kinematics.tool(end),
    )
