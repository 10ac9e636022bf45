"""The shape of an object as the cameras saw it, and where it is now: an outline laid over what is seen."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from wm_core.outline import distance, inside, turned
from wm_core.solid import DIRECTIONS, POINTS
from wm_perception.scene.surface import Surface

SPACING = 0.004  # [m] of the places within an outline
PRIOR = np.array([0.02, 0.02, 0.3])  # [m, m, rad] by which a pose may be from the expected one
FARTHEST = 0.006  # [m] by which a cell may be beside the outline to count fully
STEPS, DIFFERENCE, DAMPING, ENOUGH = 6, 0.04, 0.002, 0.01  # of Gauss-Newton; in units of PRIOR
ALONG = 0.001  # [m] between the places at which a ray is looked at
RAYS = DIRECTIONS[::4]
SMOOTHED = 5  # rays
WIDER = 0.0015  # [m] by which cells reach beyond what they show a part of


@dataclass(frozen=True)
class Template:
    """`outline` (POINTS, 2) [m] around the origin; `height` [m]; `inner` (n, 2): places within."""

    outline: np.ndarray
    height: float
    inner: np.ndarray

    @staticmethod
    def of(outline: np.ndarray, height: float) -> "Template":
        low, high = outline.min(0), outline.max(0)
        grid = np.stack(np.meshgrid(*(np.arange(a, b + SPACING, SPACING) for a, b in zip(low, high, strict=True))), -1)
        places = grid.reshape(-1, 2)
        inner = places[inside(places, outline)]
        return Template(outline, height, inner if len(inner) else np.zeros((1, 2)))

    @property
    def area(self) -> float:
        """[m^2]"""
        return len(self.inner) * SPACING**2

    def at(self, pose: np.ndarray) -> np.ndarray:
        """Places within (n, 2) [m], of an object at a pose (3,): x, y, yaw."""
        return turned(self.inner, float(pose[2])) + pose[:2]

    def beside(self, places: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """How far (m,) [m] places (m, 2) are from the outline of an object at a pose, negative within."""
        return distance(turned(places - pose[:2], -float(pose[2])), self.outline)


def seen_template(surface: Surface, cells: np.ndarray, height: float) -> tuple[Template, np.ndarray]:
    """The template of an object that covers cells, a map (X, Y) bool, and its origin (2,): their centroid."""
    places = surface.places(np.argwhere(cells))
    middle = places.mean(0)
    farthest = float(np.linalg.norm(places - middle, axis=1).max()) + surface.cell
    along = np.arange(0.0, farthest, ALONG)
    covered = surface.at(cells, middle + along[:, None] * RAYS[:, None], 0.0) > 0.5  # (rays, places)
    radii = _smooth(along[covered.shape[1] - 1 - np.argmax(covered[:, ::-1], 1)])
    radii = np.maximum(radii - WIDER, ALONG)
    return Template.of(even(radii[:, None] * RAYS), height), middle


def _smooth(radii: np.ndarray) -> np.ndarray:
    """Radii along rays (n,) [m] without the steps of cells; corners stay."""
    return uniform_filter1d(median_filter(radii, SMOOTHED, mode="wrap"), SMOOTHED, mode="wrap")


def even(around: np.ndarray) -> np.ndarray:
    """Places (POINTS, 2) equally far from each other along a closed outline (P, 2)."""
    closed = np.concatenate([around, around[:1]])
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = travelled[-1] * np.arange(POINTS) / POINTS
    return np.stack([np.interp(wanted, travelled, closed[:, axis]) for axis in (0, 1)], -1)


def fitted(
    template: Template, surface: Surface, occupied: np.ndarray, cells: np.ndarray, pose: np.ndarray
) -> np.ndarray:
    """The pose (3,) near another at which an object covers the places (m, 2) [m] of its cells and no empty ones.

    `occupied` (X, Y): 1 where its cells are, or where nobody looks; 0 elsewhere.
    """
    share = np.sqrt(SPACING**2 / template.area)
    each = np.sqrt(surface.cell**2 / template.area)

    def residuals(moved: np.ndarray) -> np.ndarray:
        at = pose + moved * PRIOR
        empty = 1.0 - surface.at(occupied, template.at(at), 1.0)
        outside = np.clip(template.beside(cells, at) / FARTHEST, 0.0, 1.5)
        return np.concatenate([share * empty, each * outside, 0.02 * moved])

    moved = np.zeros(3)
    for _ in range(STEPS):  # Gauss-Newton
        now = residuals(moved)
        slopes = np.stack([(residuals(moved + DIFFERENCE * axis) - now) / DIFFERENCE for axis in np.eye(3)], -1)
        step = np.linalg.solve(slopes.T @ slopes + DAMPING * np.eye(3), -slopes.T @ now)
        moved = moved + step
        if np.abs(step).max() < ENOUGH:
            break
    return pose + moved * PRIOR
