"""Surfaces as two cameras would give them of objects on a table, drawn without cameras."""

import numpy as np

from wm_core.outline import distance, turned
from wm_core.solid import Solid
from wm_perception.scene.surface import CELL, Surface

ANY_OF_IT = 0.0015  # [m] beside an object at which a cell shows a part of it
LOWER, SIZE = np.array([0.2, -0.3]), np.array([0.5, 0.6])
TEE = Solid.joined([Solid.box((0.12, 0.03, 0.04)), Solid.box((0.03, 0.09, 0.04), (0.0, -0.06, 0.0))]).centred()
BOX = Solid.box((0.05, 0.08, 0.05))


def surface(*objects: tuple[Solid, float, float, float], hidden: tuple[float, float, float] | None = None) -> Surface:
    """Of solids at x, y [m] and yaw [rad]; `hidden`: x, y and radius [m] of a circle where nobody looks."""
    shape = tuple(np.round(SIZE / CELL).astype(int))
    places = LOWER + (np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) + 0.5) * CELL
    height = np.zeros(shape, np.float32)
    for solid, x, y, yaw in objects:
        off = distance(turned((places - [x, y]).reshape(-1, 2), -yaw), solid.outline).reshape(shape)
        covered = off < ANY_OF_IT
        height[covered] = np.maximum(height[covered], solid.size[2])
    seen = np.ones(shape, bool)
    if hidden is not None:
        seen &= np.linalg.norm(places - hidden[:2], axis=-1) > hidden[2]
        height[~seen] = 0.0
    return Surface(LOWER, height, seen, np.zeros((3, *seen.shape)))
