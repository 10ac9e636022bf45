"""Which image sets are used: about one a step of the model, however fast the cameras are."""

EARLY_NS = 1_000_000  # stamps are not exact


class Pace:
    """Cameras of 30 Hz and more would have the model asked at a rate that it was not trained for, and two cores do not keep up."""

    def __init__(self) -> None:
        self._used_ns: int | None = None

    def due(self, stamp_ns: int, step_ns: int, period_ns: float | None) -> bool:
        """Whether no later set would be nearer to a step after the one that was used last; `period_ns`: of the cameras, None: unknown."""
        if self._used_ns is None or stamp_ns < self._used_ns or period_ns is None:
            return True
        return stamp_ns - self._used_ns >= step_ns - 0.5 * period_ns - EARLY_NS

    def used(self, stamp_ns: int) -> None:
        self._used_ns = stamp_ns
