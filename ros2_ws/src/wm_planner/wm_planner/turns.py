"""In lockstep each cycle knows how the one before ended and where the arm is: the same messages give the same commands, whatever
arrives first."""

from collections.abc import Callable
from typing import Generic, TypeVar

Belief = TypeVar("Belief")
AGAIN_S = 0.5  # after which a belief that comes again says that time stands still; a reset sends it again at once
PATIENCE_S = 2.0  # for what is under way, however busy the machine is; then it is taken for lost


class Turns(Generic[Belief]):
    """Keeps a belief until the arm was measured at its time and the guard has reported what became of the last command.

    Both are on other topics, and the second is on its way together with the next belief where the simulator sends frames that
    answer no command, as after a reset: planning before it comes would go on from where the guard may have refused to go.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        """`patience_s`: zero answers every belief at once."""
        self._patience_s = patience_s
        self._belief: Belief | None = None
        self._stamp_ns = self._measured_ns = 0
        self._came_s = 0.0
        self._open_ns: int | None = None  # stamp of the command of which nothing was reported yet
        self._unsent_ns: int | None = None  # stamp of the last command of which nothing went to the arm
        self._reported_ns: int | None = None  # stamp of the last command that was carried out, or a hold for it

    def came(self, belief: Belief, stamp_ns: int, now_s: float) -> None:
        """A belief; one that still waits is skipped, and so is one that comes again after its command was carried out."""
        if stamp_ns == self._reported_ns or (stamp_ns == self._unsent_ns and now_s - self._came_s < AGAIN_S):
            return
        if self._belief is None or stamp_ns != self._stamp_ns:  # else patience began with the first
            self._came_s = now_s
        self._belief, self._stamp_ns = belief, stamp_ns

    def measured(self, stamp_ns: int) -> None:
        """A joint state."""
        self._measured_ns = stamp_ns

    def sent(self, stamp_ns: int) -> None:
        """A command that answers the measurement of `stamp_ns`."""
        self._open_ns = stamp_ns

    def reported(self, stamp_ns: int, sent: bool = True) -> None:
        """What the guard made of a command; what it did by itself ends no turn. `sent`: whether anything went to the arm; if not,
        as where the guard had not heard yet where the arm is, its belief is answered again when it comes again.
        """
        if stamp_ns == self._open_ns:
            self._open_ns = None
            if sent:
                self._reported_ns = stamp_ns
            else:
                self._unsent_ns = stamp_ns

    def take(self, now_s: float, heard: Callable[[], bool]) -> Belief | None:
        """The belief to be answered now, once. `heard`: whether anybody reports what becomes of commands; asked only if need be."""
        patient = self._belief is not None and now_s - self._came_s < self._patience_s
        if patient and (self._measured_ns < self._stamp_ns or (self._open_ns is not None and heard())):
            return None
        belief, self._belief = self._belief, None
        return belief
