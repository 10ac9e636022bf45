"""When the guard's verdicts are worth an event: once at the beginning of a streak, not at every command of it."""

from enum import IntEnum

from wm_guard.requests import NS
from wm_guard.verdicts import Kind, Verdict

STREAK_S = 1.0  # verdicts of one kind closer than this belong together


class Interference(IntEnum):
    """Values of wm_msgs/Intervention.kind that the guard reports."""

    LIMITED = 0
    HOLD = 1
    E_STOP = 2
    E_STOP_RESET = 3


class Interventions:
    """Tells the beginning of a streak of limited or held commands from its continuation."""

    def __init__(self) -> None:
        self._last_ns: dict[Interference, int] = {}

    def begins(self, verdict: Verdict, now_ns: int) -> Interference | None:
        """What begins with this verdict; None while commands pass and while the same goes on."""
        if verdict.kind is Kind.PASS:
            return None
        if verdict.reason == "e_stop":  # once; the commands refused until its reset go on with it
            return Interference.E_STOP if verdict.kind is Kind.HOLD else None
        kind = Interference.LIMITED if verdict.kind is Kind.LIMITED else Interference.HOLD
        before, self._last_ns[kind] = self._last_ns.get(kind), now_ns
        return None if before is not None and 0 <= now_ns - before < STREAK_S * NS else kind
