"""Ways of an object around what stands on the table: how long they are from everywhere, as a grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from wm_core.outline import distance
from wm_planner.scene.clearance import Prism

SPACING = 0.01  # [m] of the grid
ROOM = 0.008  # [m] that is kept between the object and the others
# By how many times its length a way is chosen: within that room, and through what stands there.
NARROW, BLOCKED = 8.0, 30.0
BEYOND = 0.05  # [m] around the region
STAIRS = 1.09  # by how much a way over a grid's eight neighbours, and one cell, may be longer than a straight one
WORTH = 0.01  # [m] by which a way must be longer than the straight one


@dataclass(frozen=True)
class Around:
    """`extra` (X, Y) [m]: by how much the way to one place is longer than the straight line, at the nodes of a grid from `lower`."""

    lower: np.ndarray  # (2,) [m]
    extra: np.ndarray

    @staticmethod
    def to(
        place: np.ndarray, radius: float, others: Sequence[Prism], region: tuple[np.ndarray, np.ndarray]
    ) -> "Around":
        """Ways to `place` (2,) of a circle of `radius` [m] between `others`, within the region: lower and upper corner (2,)."""
        lower, upper = region[0] - BEYOND, region[1] + BEYOND
        shape = tuple(np.ceil((upper - lower) / SPACING).astype(int) + 1)
        nodes = lower + SPACING * np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
        outside = (nodes < region[0]) | (nodes > region[1])
        weight = np.where(outside.any(-1), BLOCKED, 1.0)  # from there the hand brings nothing back
        for other in others:
            near = np.abs(nodes - other.middle).max(-1) < other.radius + radius + ROOM
            gap = distance(nodes[near], other.footprint) - radius
            weight[near] = np.maximum(weight[near], np.where(gap < -ROOM, BLOCKED, np.where(gap < ROOM, NARROW, 1.0)))
        goal = np.clip(np.round((place - lower) / SPACING).astype(int), 0, np.array(shape) - 1)
        begin = int(np.ravel_multi_index(tuple(goal), shape))
        cost, before = dijkstra(_graph(weight), indices=begin, return_predecessors=True)
        length = _lengths(nodes.reshape(-1, 2), np.argsort(cost), before).reshape(shape)
        straight = np.linalg.norm(nodes - place, axis=-1)
        return Around(lower, np.maximum(length - STAIRS * straight - SPACING, 0.0))

    def at(self, places: np.ndarray) -> np.ndarray:
        """`extra` (...,) [m] at places (..., 2)."""
        nodes = np.moveaxis((places - self.lower) / SPACING, -1, 0)
        return map_coordinates(self.extra, nodes.reshape(2, -1), order=1, mode="nearest").reshape(nodes.shape[1:])


def _lengths(nodes: np.ndarray, order: np.ndarray, before: np.ndarray) -> np.ndarray:
    """How long the chosen ways are (N,) [m], whatever they cost: else much would be gained by pushing others aside a little.

    `nodes` (N, 2); `order` (N,): by cost; `before` (N,): the next node of the way.
    """
    found = np.zeros(len(nodes))
    steps = np.linalg.norm(nodes - nodes[np.maximum(before, 0)], axis=-1)
    for node in order[1:]:
        found[node] = found[before[node]] + steps[node]
    return found


def _graph(weight: np.ndarray) -> csr_array:
    """Edges between neighbours of a grid; each as long as it is, times the mean of both weights."""
    number = np.arange(weight.size).reshape(weight.shape)
    rows, columns, lengths = [], [], []
    for here, there, length in (
        (np.s_[:-1, :], np.s_[1:, :], 1.0),
        (np.s_[:, :-1], np.s_[:, 1:], 1.0),
        (np.s_[:-1, :-1], np.s_[1:, 1:], np.sqrt(2)),
        (np.s_[1:, :-1], np.s_[:-1, 1:], np.sqrt(2)),
    ):
        rows += [number[here].ravel(), number[there].ravel()]
        columns += [number[there].ravel(), number[here].ravel()]
        lengths += 2 * [(SPACING * length * (weight[here] + weight[there]) / 2).ravel()]
    ends = np.concatenate(rows), np.concatenate(columns)
    return coo_array((np.concatenate(lengths), ends), shape=(weight.size, weight.size)).tocsr()
