"""The shape of an object as the cameras saw it, laid over what is seen of it later."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates, median_filter, uniform_filter1d

from wm_core.outline import even, turned
from wm_core.solid import DIRECTIONS, POINTS
from wm_perception.scene.surface import Surface

GRID = 0.002  # [m] between the nodes of a template
EVERY = 2  # node that is looked for
AROUND = 0.04  # [m] beyond an object that its template reaches
PRIOR = np.array([0.02, 0.02, 0.3])  # [m, m, rad] by which a pose may be from the expected one
FARTHEST = 0.006  # [m] by which a cell may be beside the object to count fully
STEPS, DIFFERENCE, DAMPING, ENOUGH = 12, 0.04, 0.002, 0.01  # of Gauss-Newton; in units of PRIOR
ALONG = 0.001  # [m] between the places at which a ray is looked at
RAYS = DIRECTIONS[::4]
SMOOTHED = 5  # rays
WIDER = 0.0015  # [m] by which cells reach beyond what they show a part of


@dataclass(frozen=True)
class Template:
    """`outline` (POINTS, 2) [m] around the origin; `height` [m]; `inner` (n, 2) [m]: places that it covers, not those of its hollows;
    `off` (X, Y) [m]: how far the nodes of a grid from `lower` (2,) are beside them, negative within.
    """

    outline: np.ndarray
    height: float
    inner: np.ndarray
    lower: np.ndarray
    off: np.ndarray

    @property
    def area(self) -> float:
        """[m^2] that it covers."""
        return len(self.inner) * (EVERY * GRID) ** 2

    @property
    def radius(self) -> float:
        """[m] of the circle around the origin that holds it."""
        return float(np.linalg.norm(self.outline, axis=1).max())

    def at(self, pose: np.ndarray) -> np.ndarray:
        """Places that it covers (n, 2) [m] at a pose (3,): x, y, yaw."""
        return turned(self.inner, float(pose[2])) + pose[:2]

    def beside(self, places: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """How far (m,) [m] places (m, 2) are beside an object at a pose, negative within; beyond AROUND no more than that."""
        nodes = (turned(places - pose[:2], -float(pose[2])) - self.lower) / GRID
        return map_coordinates(self.off, nodes.T, order=1, mode="nearest")


def seen_template(
    surface: Surface, cells: np.ndarray, height: float, pose: np.ndarray | None = None
) -> tuple[Template, np.ndarray]:
    """The template of an object that covers cells, a map (X, Y) bool or of shares 0..1, in the frame at a pose (3,), which is returned
    too; without one, at the cells' centroid along the axes of the table.
    """
    places = surface.places(np.argwhere(np.asarray(cells) > 0.5))
    if pose is None:
        pose = np.array([*places.mean(0), 0.0])
    own = turned(places - pose[:2], -float(pose[2]))
    lower, upper = own.min(0) - AROUND, own.max(0) + AROUND
    along = (np.arange(low, high, GRID) for low, high in zip(lower, upper, strict=True))
    nodes = np.stack(np.meshgrid(*along, indexing="ij"), -1)
    covered = surface.at(cells, turned(nodes.reshape(-1, 2), float(pose[2])) + pose[:2], 0.0) > 0.5
    mask = covered.reshape(nodes.shape[:2])
    off = GRID * (distance_transform_edt(~mask) - distance_transform_edt(mask))
    every = np.s_[::EVERY, ::EVERY]
    inner = nodes[every][mask[every]]
    made = Template(_outline(surface, cells, pose), height, inner, lower, off.astype(np.float32))
    return made, pose


def fitted(
    template: Template, surface: Surface, occupied: np.ndarray, cells: np.ndarray, pose: np.ndarray
) -> np.ndarray:
    """The pose (3,) near another at which an object covers the places (m, 2) [m] of its cells and no empty ones.

    `occupied` (X, Y): 1 where its cells are, or where nobody looks; 0 elsewhere.
    """
    share = 1 / np.sqrt(max(len(template.inner), 1))
    each = np.sqrt(surface.cell**2 / max(template.area, 1e-6))

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


def _outline(surface: Surface, cells: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Around cells (X, Y), in the frame at a pose: places (POINTS, 2) [m]. Along each ray the farthest cell counts."""
    places = surface.places(np.argwhere(np.asarray(cells) > 0.5))
    farthest = float(np.linalg.norm(places - pose[:2], axis=1).max()) + surface.cell
    along = np.arange(0.0, farthest, ALONG)
    rays = turned(RAYS, float(pose[2]))
    covered = surface.at(cells, pose[:2] + along[:, None] * rays[:, None], 0.0) > 0.5  # (rays, places)
    radii = along[covered.shape[1] - 1 - np.argmax(covered[:, ::-1], 1)]
    smooth = uniform_filter1d(median_filter(radii, SMOOTHED, mode="wrap"), SMOOTHED, mode="wrap")  # no steps of cells
    return even(np.maximum(smooth - WIDER, ALONG)[:, None] * RAYS, POINTS)
