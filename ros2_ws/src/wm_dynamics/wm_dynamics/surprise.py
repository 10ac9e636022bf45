"""Surprise: the normalised prediction error, smoothed over time, in units of its calibrated threshold."""


class Surprise:
    """Exponential moving average of the filter's normalised error; 1 is the threshold from the bundle.

    The threshold is the 99.5 % quantile of the same average on held-out data (wm_learning.figures.held_out).
    """

    SMOOTHING = 0.3

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._average = 0.0

    def reset(self) -> None:
        self._average = 0.0

    @property
    def level(self) -> float:
        """The surprise as it is, e.g. while there is nothing to compare."""
        return self._average / self._threshold

    def update(self, normalised_error: float) -> float:
        """Add one step's normalised squared error; returns the surprise."""
        self._average += self.SMOOTHING * (normalised_error - self._average)
        return self.level
