"""What the guard answers, and what state it is in."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from wm_core.scene import ToolState
from wm_guard.limits import Motion
from wm_guard.motions import Sent


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
