"""Shapes of objects: convex parts, and the outline by which models and planners know them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from wm_core.outline import even

POINTS = 32  # of an outline
RAYS = 720  # that it is found by
ANGLES = 2 * np.pi * np.arange(RAYS) / RAYS  # [rad] from the x axis
DIRECTIONS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1)  # (RAYS, 2)
SIDES = 24  # of a cylinder's polygon


class SolidError(ValueError):
    """A shape that is no solid body."""


@dataclass(frozen=True)
class Solid:
    """A rigid body of convex parts, each the hull of its corners (V, 3) [m] in the body's frame."""

    parts: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise SolidError("expected at least one part, got none")
        for part in self.parts:
            if part.ndim != 2 or part.shape[1:] != (3,) or len(part) < 4 or not np.isfinite(part).all():
                raise SolidError(f"expected at least 4 finite corners (V, 3) of a part, got shape {part.shape}")

    @staticmethod
    def box(size: Sequence[float], position: Sequence[float] = (0, 0, 0)) -> "Solid":
        """Of full extents (3,) [m] around a middle (3,)."""
        corners = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5])).reshape(3, -1).T
        return Solid((corners * np.asarray(size, float) + np.asarray(position, float),))

    @staticmethod
    def cylinder(radius: float, height: float, position: Sequence[float] = (0, 0, 0)) -> "Solid":
        """Upright, around a middle (3,) [m]."""
        angles = 2 * np.pi * np.arange(SIDES) / SIDES
        ring = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.zeros(SIDES)], -1)
        ends = [ring + [0, 0, side * height / 2] for side in (-1, 1)]
        return Solid((np.concatenate(ends) + np.asarray(position, float),))

    @staticmethod
    def joined(solids: Iterable["Solid"]) -> "Solid":
        return Solid(tuple(part for solid in solids for part in solid.parts))

    def moved(self, offset: Sequence[float] | np.ndarray) -> "Solid":
        """By (3,) [m]."""
        return Solid(tuple(part + np.asarray(offset, float) for part in self.parts))

    def turned(self, rotation: np.ndarray) -> "Solid":
        """By a rotation (3, 3) about the origin."""
        return Solid(tuple(part @ np.asarray(rotation).T for part in self.parts))

    def scaled(self, factors: Sequence[float] | np.ndarray) -> "Solid":
        """Along the axes, by (3,)."""
        return Solid(tuple(part * np.asarray(factors, float) for part in self.parts))

    def centred(self) -> "Solid":
        """With its origin over the centroid of the volume, halfway up."""
        return self.moved(-self.origin)

    @cached_property
    def corners(self) -> np.ndarray:
        """Of all parts (V, 3) [m]."""
        return np.concatenate(self.parts)

    @cached_property
    def lower(self) -> np.ndarray:
        """Lowest corner (3,) [m] of the box around it."""
        return self.corners.min(0)

    @cached_property
    def upper(self) -> np.ndarray:
        """Highest corner (3,) [m] of the box around it."""
        return self.corners.max(0)

    @property
    def size(self) -> np.ndarray:
        """Extents (3,) [m] of the box around it."""
        return self.upper - self.lower

    @cached_property
    def volume(self) -> float:
        """[m^3]; what belongs to two parts counts twice."""
        return float(sum(hull.volume for hull in self._hulls))

    @cached_property
    def centroid(self) -> np.ndarray:
        """Of the volume (3,) [m]."""
        moments, volume = np.zeros(3), 0.0
        for part, hull in zip(self.parts, self._hulls, strict=True):
            apex = part.mean(0)
            corners = part[hull.simplices]  # (T, 3, 3) triangles; with the apex they fill the hull
            volumes = (
                np.abs(
                    np.einsum("ti,ti->t", corners[:, 0] - apex, np.cross(corners[:, 1] - apex, corners[:, 2] - apex))
                )
                / 6
            )
            moments += (volumes[:, None] * (corners.sum(1) + apex) / 4).sum(0)
            volume += float(volumes.sum())
        return moments / volume

    @property
    def origin(self) -> np.ndarray:
        """Where an object's frame has its origin (3,) [m]: at the centroid from above, halfway up."""
        return np.array([*self.centroid[:2], (self.lower[2] + self.upper[2]) / 2])

    @cached_property
    def outline(self) -> np.ndarray:
        """Places (POINTS, 2) [m] around the footprint seen from above, against the clock, equally far from each other along it.

        Along each direction from the origin the farthest part counts.
        """
        return even(self.radii[:, None] * DIRECTIONS, POINTS)

    @cached_property
    def radii(self) -> np.ndarray:
        """Radii (RAYS,) [m] of the footprint: along each of DIRECTIONS the farthest place of any part; 0 where none is."""
        radii = np.zeros(RAYS)
        for normals, offsets in self._footprints:
            slopes = DIRECTIONS @ normals.T  # (RAYS, edges)
            with np.errstate(divide="ignore"):
                ends = offsets / slopes
            leave = np.where(slopes > 1e-12, ends, np.inf).min(1)
            enter = np.where(slopes < -1e-12, ends, -np.inf).max(1)
            beside = ((np.abs(slopes) <= 1e-12) & (offsets < 0)).any(1)
            hit = (leave >= np.maximum(enter, 0)) & ~beside
            radii = np.maximum(radii, np.where(hit, leave, 0.0))
        return radii

    @property
    def radius(self) -> float:
        """[m] of the circle around the origin that holds the footprint."""
        return float(np.linalg.norm(self.corners[:, :2], axis=1).max())

    def inside(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Whether points (..., 2) [m] lie on the footprint (...,), or at most `margin` beside an edge."""
        points = np.asarray(points, float)
        found = np.zeros(points.shape[:-1], bool)
        for normals, offsets in self._footprints:
            found |= (points @ normals.T <= offsets + margin).all(-1)
        return found

    def beyond(self, points: np.ndarray) -> np.ndarray:
        """How far (...,) [m] points (..., 3) are at least from the nearest part, negative within one."""
        points = np.asarray(points, float)
        found = np.full(points.shape[:-1], np.inf)
        for hull in self._hulls:
            found = np.minimum(found, (points @ hull.equations[:, :3].T + hull.equations[:, 3]).max(-1))
        return found

    @property
    def hulls(self) -> list[np.ndarray]:
        """Of each part the triangles (T, 3) of its surface: indices of its corners, seen from outside against the clock."""
        found = []
        for part, hull in zip(self.parts, self._hulls, strict=True):
            corners = part[hull.simplices]
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            inwards = (normals * hull.equations[:, :3]).sum(1) < 0
            found.append(np.where(inwards[:, None], hull.simplices[:, ::-1], hull.simplices))
        return found

    @cached_property
    def _hulls(self) -> list[ConvexHull]:
        try:
            return [ConvexHull(part) for part in self.parts]
        except QhullError as error:
            raise SolidError(f"expected parts with a volume, got a flat one: {str(error).splitlines()[0]}") from error

    @cached_property
    def _footprints(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each part seen from above: outward normals (F, 2) of its edges and their distances (F,) [m] from the origin."""
        found = []
        for part in self.parts:
            equations = ConvexHull(part[:, :2]).equations
            found.append((equations[:, :2], -equations[:, 2]))
        return found
