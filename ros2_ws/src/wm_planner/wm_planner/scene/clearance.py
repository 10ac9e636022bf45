"""How near a hand comes to objects, and objects to each other: sweeps of whole candidates at once.

Objects are prisms: a footprint between two heights, and so is what stands still.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from wm_core.hand import FINGERS, OPENING, Hand
from wm_dynamics.scene_belief import SceneBelief

LOOKED_AT, FAR = 0.25, 0.5  # [m] gaps that are looked at; that of what is further away
SPACING = 0.01  # [m] at most, between the places of a footprint


@dataclass(frozen=True)
class Prism:
    """A footprint (P, 2) [m] between two heights [m], in the table frame."""

    footprint: np.ndarray
    bottom: float
    top: float

    @property
    def middle(self) -> np.ndarray:
        return self.footprint.mean(0)

    @property
    def radius(self) -> float:
        """[m] of the circle around the middle that holds it."""
        return float(np.linalg.norm(self.footprint - self.middle, axis=1).max())


def prism_around(points: np.ndarray) -> Prism:
    """Of what stands still: around points (N, 3) [m] in the table frame, such as the corners of a box."""
    corners = points[ConvexHull(points[:, :2]).vertices, :2]
    edges = np.roll(corners, -1, 0) - corners
    counts = np.ceil(np.linalg.norm(edges, axis=1) / SPACING).astype(int)
    footprint = [
        corner + edge * np.arange(count)[:, None] / count
        for corner, edge, count in zip(corners, edges, counts, strict=True)
    ]
    return Prism(np.concatenate(footprint), float(points[:, 2].min()), float(points[:, 2].max()))


def box_prisms(boxes: np.ndarray) -> list[Prism]:
    """Of boxes (N, 6) along the axes of the table frame: lower and upper corner [m] of each."""
    pick = np.array(list(np.ndindex(2, 2, 2)))
    return [prism_around(np.where(pick, box[3:], box[:3])) for box in boxes]


def prisms(belief: SceneBelief) -> list[Prism]:
    """Of all objects, where they are believed."""
    bottom, top = belief.bottom, belief.top
    return [Prism(belief.footprint(slot), float(bottom[slot]), float(top[slot])) for slot in range(belief.slots)]


def hand_gaps(hand: Hand, tools: np.ndarray, prism: Prism, *, fingers_only: bool = False) -> np.ndarray:
    """Gaps (N,) [m] between any box of a hand at tool states (N, 6) and a prism; negative where they overlap, FAR above LOOKED_AT."""
    return least_gap(hand, tools, [prism], fingers_only=fingers_only)


def least_gap(
    hand: Hand, tools: np.ndarray, others: Sequence[Prism], within: float = LOOKED_AT, *, fingers_only: bool = False
) -> np.ndarray:
    """The smallest of the gaps (N,) [m] to several prisms, FAR above `within`."""
    tools = np.asarray(tools, float)
    gaps = np.full(len(tools), FAR)
    if not others:
        return gaps
    middles, radii = (np.array([getattr(prism, name) for prism in others]) for name in ("middle", "radius"))
    heights = np.array([[prism.bottom, prism.top] for prism in others])
    looked_at = (
        hand.gaps(tools, middles, radii, heights) < within
    )  # to the cylinders around them: never more than the true gaps
    for prism, near in zip(others, looked_at.T, strict=True):
        if near.any():
            gaps[near] = np.minimum(gaps[near], _gaps(hand, tools[near], prism, fingers_only))
    return gaps


def _gaps(hand: Hand, at: np.ndarray, prism: Prism, fingers_only: bool) -> np.ndarray:
    """See `hand_gaps`; at tool states (n, 6) however far away."""
    boxes = FINGERS if fingers_only else len(hand.halves)
    centres, halves = hand.centres(at[:, OPENING])[:, :boxes], hand.halves[:boxes]  # (n, B, 3), (B, 3)
    c, s, pc, ps = np.cos(at[:, 3]), np.sin(at[:, 3]), np.cos(at[:, 4]), np.sin(at[:, 4])
    dx, dy = (prism.footprint[None, :, axis] - at[:, axis, None] for axis in (0, 1))  # (n, P)
    flat, y = c[:, None] * dx + s[:, None] * dy, c[:, None] * dy - s[:, None] * dx
    low = prism.bottom - at[:, 2, None]
    x, z = pc[:, None] * flat - ps[:, None] * low, ps[:, None] * flat + pc[:, None] * low
    axis_x, axis_z = -ps[:, None, None], pc[:, None, None]
    x, y, z = (each[:, None, :] - centres[:, :, axis, None] for axis, each in enumerate((x, y, z)))  # (n, B, P)
    along = np.clip(-(x * axis_x + z * axis_z), 0.0, prism.top - prism.bottom)
    off = np.maximum(np.abs(x + along * axis_x) - halves[:, 0, None], np.abs(y) - halves[:, 1, None])
    off = np.maximum(off, np.abs(z + along * axis_z) - halves[:, 2, None])
    gap = off.min((1, 2))
    # An outline around the whole of a finger has no place within it.
    return np.where(_covers(prism, at, centres, c, s, pc, ps), np.minimum(gap, -0.002), gap)


def _covers(
    prism: Prism, tools: np.ndarray, centres: np.ndarray, c: np.ndarray, s: np.ndarray, pc: np.ndarray, ps: np.ndarray
) -> np.ndarray:
    """Whether the middle of a finger is over the footprint and below its top (n,)."""
    fingers = centres[:, :FINGERS]
    x = pc[:, None] * fingers[..., 0] + ps[:, None] * fingers[..., 2]
    z = -ps[:, None] * fingers[..., 0] + pc[:, None] * fingers[..., 2]
    places = (
        np.stack([c[:, None] * x - s[:, None] * fingers[..., 1], s[:, None] * x + c[:, None] * fingers[..., 1]], -1)
        + tools[:, None, :2]
    )
    a, b = prism.footprint, np.roll(prism.footprint, -1, 0)
    edge, to = b - a, places[..., None, :] - a
    left = edge[:, 0] * to[..., 1] - edge[:, 1] * to[..., 0] >= 0
    low = (tools[:, None, 2] + z - 0.02 < prism.top) & (tools[:, None, 2] + z + 0.02 > prism.bottom)
    return (left.all(-1) & low).any(1)


def moved_gaps(outline: np.ndarray, poses: np.ndarray, bottom: float, top: float, other: Prism) -> np.ndarray:
    """Gaps (N,) [m], seen from above, between an outline (P, 2) at poses (N, 3) x, y, yaw and a prism; FAR where one is above the other."""
    gaps = np.full(len(poses), FAR)
    if bottom > other.top or top < other.bottom:
        return gaps
    radius = float(np.linalg.norm(outline, axis=1).max())
    near = np.linalg.norm(poses[:, :2] - other.middle, axis=1) < radius + other.radius + 0.02
    if not near.any():
        return gaps
    c, s = np.cos(poses[near, 2])[:, None], np.sin(poses[near, 2])[:, None]
    x = c * outline[:, 0] - s * outline[:, 1] + poses[near, :1]
    y = s * outline[:, 0] + c * outline[:, 1] + poses[near, 1:2]
    gaps[near] = _separation(np.stack([x, y], -1), other.footprint)
    return gaps


_ANGLES = 2 * np.pi * np.arange(16) / 16
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])


def _separation(places: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Largest distance (n,) by which a line in one of 16 directions separates (n, P, 2) from (P, 2)."""
    ours = (places @ _DIRECTIONS).min(1)
    return (ours - (footprint @ _DIRECTIONS).max(0)).max(-1)
