"""In lockstep each cycle knows how the one before ended: the same messages give the same commands, whatever arrives first."""

from typing import Generic, TypeVar

Belief = TypeVar("Belief")
PATIENCE_S = 2.0  # for what the guard made of a command, however busy the machine is; then it is taken for lost


class Turns(Generic[Belief]):
    """Keeps a belief until the guard has told what became of the last command.

    That is on its way together with the next belief where the simulator sends frames that answer no command, as after a
    reset: planning before it comes would go on from where the guard may have refused to go.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._belief: Belief | None = None
        self._came_s = 0.0
        self._open_ns: int | None = None  # stamp of the command of which nothing was told yet

    def came(self, belief: Belief, now_s: float) -> None:
        """A belief; one that still waits is skipped."""
        self._belief, self._came_s = belief, now_s

    def sent(self, stamp_ns: int) -> None:
        """A command that answers the measurement of `stamp_ns`."""
        self._open_ns = stamp_ns

    def told(self, stamp_ns: int) -> None:
        """What the guard made of a command; what it did by itself ends no turn."""
        if stamp_ns == self._open_ns:
            self._open_ns = None

    def take(self, now_s: float, heard: bool = True) -> Belief | None:
        """The belief to be answered now, once. `heard`: whether anybody tells what becomes of commands."""
        if self._open_ns is not None and heard and now_s - self._came_s < self._patience_s:
            return None
        belief, self._belief = self._belief, None
        return belief
