"""Where cameras see the same objects at different places: each is moved along the table until all agree on their mean."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

TOP = 0.006  # [m] below the highest place of an object that belongs to its top, which all cameras see
LOW = 0.015  # [m] above the table
SMALLEST = 12  # cells of a top
ALIKE = 0.7  # of the larger top that the smaller one must have: else one sees only a part
MOST = 0.02  # [m] between two cameras that is put right; more is another object
SHARE = 0.2  # of a new look, in the mean of all


class CameraShifts:
    """Shifts (2,) [m] by name, to be added to what a camera sees; their mean is 0."""

    def __init__(self, names: list[str]) -> None:
        self.shifts = {name: np.zeros(2) for name in names}
        self.looks = 0

    def add(self, heights: Mapping[str, np.ndarray], cell: float) -> None:
        """Maps (X, Y) [m] of one look by camera, made with the shifts of now; NaN where it does not look."""
        names = list(heights)
        if len(names) < 2:
            return
        highest = np.nanmax(np.stack([np.where(np.isnan(each), -1.0, each) for each in heights.values()]), 0)
        labels, count = ndimage.label(highest > LOW, np.ones((3, 3)))
        found = []
        for label in range(1, count + 1):
            mine = labels == label
            middles = [_top(each, mine) for each in heights.values()]
            sizes = [size for size, _ in middles]
            if min(sizes) >= SMALLEST and min(sizes) > ALIKE * max(sizes):
                places = cell * np.array([place for _, place in middles])
                if np.abs(places - places.mean(0)).max() < MOST:
                    found.append(places.mean(0) - places)
        if not found:
            return
        self.looks += 1
        off = np.median(found, axis=0)
        for name, each in zip(names, off, strict=True):
            self.shifts[name] = self.shifts[name] + max(SHARE, 1 / self.looks) * each


def _top(height: np.ndarray, mine: np.ndarray) -> tuple[int, np.ndarray]:
    """How many cells one camera sees of an object's top, and their middle (2,) in cells."""
    own = np.where(mine & ~np.isnan(height), height, -1.0)
    cells = np.argwhere(own > max(float(own.max()) - TOP, LOW))
    return len(cells), cells.mean(0) if len(cells) else np.zeros(2)
