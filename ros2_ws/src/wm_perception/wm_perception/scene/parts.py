"""Which cells of a map belong to one object, where objects touch or lie on each other: a network votes, votes that agree are one object.

For each cell the network says where the middle of its object's top is, and how sure it is. In a bundle it is the graph `parts`:

| | shape | |
|---|---|---|
| `map` | (1, 5, X, Y) | height [m] over HIGH, r, g, b in 0..1, whether it was looked at |
| `votes` | (1, 4, X, Y) | from a cell's middle and height to its object's: x, y, z over FAR; logarithm of the deviation over FAR |
"""

from pathlib import Path

import numpy as np
import onnxruntime

from wm_core.scene_bundle import open_parts
from wm_perception.scene.surface import Surface

HIGH, FAR = 0.1, 0.05  # [m]
MARGIN, MULTIPLE = 4, 8  # cells around what is asked about; of which a side is made up
AGREE = np.array([0.018, 0.018, 0.012])  # [m] between votes for the same object
SURE = 0.004  # [m] deviation of a vote that counts in full; others count less
FEWEST = 12  # cells of an object
ALONE = 0.85  # share of all votes with which an object is the only one
APART = 5.0  # deviations between the middles of two objects; what is nearer may be one whose votes are unsure


class PartsModel:
    """Takes objects apart that touch."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def apart(self, surface: Surface, cells: np.ndarray) -> list[np.ndarray]:
        """Occupied cells (X, Y) bool that hang together, as objects: one such map for each."""
        index = np.argwhere(cells)
        votes, deviation = self._votes(surface, index)
        points = np.column_stack([surface.places(index), surface.height[tuple(index.T)]]) + votes
        labels = merged(points, deviation, grouped(points, np.minimum(1.0, SURE / deviation)))
        found = []
        for label in range(labels.max() + 1):
            one = np.zeros(cells.shape, bool)
            one[tuple(index[labels == label].T)] = True
            found.append(one)
        return found

    def _votes(self, surface: Surface, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For cells (n, 2): from them to the middles of their objects' tops (n, 3) [m], and the deviation (n,) [m] of that."""
        lower = np.maximum(index.min(0) - MARGIN, 0)
        upper = np.minimum(index.max(0) + 1 + MARGIN, surface.seen.shape)
        within = np.s_[lower[0] : upper[0], lower[1] : upper[1]]
        maps = network_input(surface.height[within], surface.colour[:, within[0], within[1]], surface.seen[within])
        size = -(-np.array(maps.shape[1:]) // MULTIPLE) * MULTIPLE
        padded = np.zeros((1, len(maps), *size), np.float32)
        padded[0, :, : maps.shape[1], : maps.shape[2]] = maps
        (found,) = self._session.run(["votes"], {"map": padded})
        rows, columns = (index - lower).T
        votes = FAR * found[0][:, rows, columns].T
        return votes[:, :3].astype(float), FAR * np.exp(np.clip(votes[:, 3] / FAR, -8.0, 3.0)).astype(float)


def parts_of(bundle: Path) -> PartsModel | None:
    """Of a bundle of scenes; None: it has none. Raises BundleError."""
    session = open_parts(bundle)
    return None if session is None else PartsModel(session)


def network_input(height: np.ndarray, colour: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What the network is given (..., 5, X, Y) float32 of maps (..., X, Y), (..., 3, X, Y), (..., X, Y)."""
    return np.concatenate([height[..., None, :, :] / HIGH, colour, seen[..., None, :, :]], -3, dtype=np.float32)


def grouped(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Labels (n,) of votes (n, 3) [m] by where most of them are: the largest group first, of those that are left the next.

    What belongs to no group, or to one that is too small, goes to the nearest.
    """
    near = (np.abs(points[:, None] - points[None]) < AGREE).all(-1)
    left, middles = np.ones(len(points), bool), []
    while left.any():
        support = near @ (weights * left) * left
        best = int(np.argmax(support))
        members = near[best] & left
        middle = np.average(points[members], axis=0, weights=weights[members])
        members = left & (np.abs(points - middle) < AGREE).all(1)
        if members.sum() < FEWEST:
            break
        middles.append(middle)
        if members.sum() > ALONE * len(points):
            break
        left &= ~members & ~near[best]
    if not middles:
        return np.zeros(len(points), int)
    off = np.linalg.norm((points[:, None] - np.array(middles)) / AGREE, axis=-1)
    labels = off.argmin(1)
    kept = [label for label in range(len(middles)) if (labels == label).sum() >= FEWEST]
    return off[:, kept].argmin(1) if kept else np.zeros(len(points), int)


def merged(points: np.ndarray, deviation: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels (n,) in which groups are one that are no farther apart than their votes (n, 3), with a deviation (n,) [m] each, are unsure."""
    labels = labels.copy()
    while (count := labels.max() + 1) > 1:
        mine = [labels == label for label in range(count)]
        middles = np.array([np.median(points[each], axis=0) for each in mine])
        unsure = np.array([np.median(deviation[each]) for each in mine])
        off = np.linalg.norm(middles[:, None] - middles, axis=-1) / np.hypot(unsure[:, None], unsure)
        np.fill_diagonal(off, np.inf)
        one, other = np.unravel_index(np.argmin(off), off.shape)
        if off[one, other] > APART:
            break
        labels[labels == other] = one
        labels = np.unique(labels, return_inverse=True)[1]
    return labels
