"""What an object must look like of which cells are seen: how high it is, and what others hide of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.spatial import ConvexHull, QhullError

from wm_perception.scene.surface import LOW, Surface

TOP = 0.9  # quantile of heights that is an object's top
MOST, HALF = (
    0.95,
    0.5,
)  # share of what is around an object that must be free to know its shape; of an object that another carries
EDGE = 0.5  # cells by which a hull reaches beyond the cells' middles


@dataclass(frozen=True)
class Shape:
    """`cells` (X, Y) bool that an object covers, those that are hidden too; `top` [m] over the table; `height` [m] of its own;
    `whole`: nothing of it is hidden.
    """

    cells: np.ndarray
    top: float
    height: float
    whole: bool


def top_of(surface: Surface, cells: np.ndarray) -> float:
    """[m] over the table."""
    return float(np.quantile(surface.height[cells], TOP))


def looked_around(surface: Surface, cells: np.ndarray, top: float = np.inf) -> float:
    """Share of what is around some cells (X, Y) that is looked at, and where nothing is higher than a `top` [m]."""
    ring = binary_dilation(cells, iterations=2) & ~cells
    return float((surface.seen & (surface.height < top + LOW))[ring].mean()) if ring.any() else 0.0


def shapes_of(surface: Surface, parts: Sequence[np.ndarray]) -> list[Shape]:
    """The shapes of objects that touch, of the cells (X, Y) bool that are seen of each."""
    tops = [top_of(surface, part) for part in parts]
    covered: list[np.ndarray] = [np.empty(0)] * len(parts)
    shapes: list[Shape | None] = [None] * len(parts)
    for number in np.argsort(tops):  # what carries comes before what it carries
        part, top = parts[number], tops[number]
        above = np.zeros(part.shape, bool)
        for other, its in zip(parts, tops, strict=True):
            if its > top + LOW:
                above |= other
        covered[number] = part | (above & _hull(part)) if above.any() else part
        under = [
            tops[other]
            for other, shape in enumerate(shapes)
            if shape is not None and tops[other] < top - LOW and covered[other][part].mean() > HALF
        ]
        height = top - max(under, default=0.0)
        whole = looked_around(surface, covered[number], top) > MOST and covered[number].sum() == part.sum()
        shapes[number] = Shape(covered[number], top, height, whole)
    return [shape for shape in shapes if shape is not None]


def _hull(cells: np.ndarray) -> np.ndarray:
    """Cells (X, Y) bool within the convex hull of some."""
    index = np.argwhere(cells)
    try:
        equations = ConvexHull(index).equations
    except QhullError:
        return cells
    grid = np.moveaxis(np.indices(cells.shape), 0, -1)
    return (grid @ equations[:, :2].T + equations[:, 2] <= EDGE).all(-1)
