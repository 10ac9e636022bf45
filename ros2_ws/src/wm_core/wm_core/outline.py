"""Geometry of outlines: closed polygons of places (P, 2) [m] against the clock, in a frame of their own."""

import numpy as np


def inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Whether points (..., 2) lie within an outline (P, 2), (...,); by the crossings of a ray along x."""
    points = np.asarray(points, float)[..., None, :]
    a, b = outline, np.roll(outline, -1, 0)
    crosses = (a[:, 1] > points[..., 1]) != (b[:, 1] > points[..., 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = a[:, 0] + (points[..., 1] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return (crosses & (points[..., 0] < at)).sum(-1) % 2 == 1


def distance(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """From points (..., 2) to an outline (P, 2), (...,) [m]; negative within it."""
    points = np.asarray(points, float)[..., None, :]
    a, along = outline, np.roll(outline, -1, 0) - outline
    length = np.maximum((along**2).sum(-1), 1e-12)
    share = np.clip(((points - a) * along).sum(-1) / length, 0.0, 1.0)
    nearest = np.linalg.norm(points - a - share[..., None] * along, axis=-1).min(-1)
    return np.where(inside(points[..., 0, :], outline), -nearest, nearest)


def normals(outline: np.ndarray) -> np.ndarray:
    """Outward unit normals (P, 2) at the places of an outline (P, 2)."""
    along = np.roll(outline, -1, 0) - np.roll(outline, 1, 0)
    turned = np.stack([along[:, 1], -along[:, 0]], -1)
    return turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)


def area(outline: np.ndarray) -> float:
    """[m^2]"""
    x, y = outline.T
    return float(0.5 * (x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def span(outline: np.ndarray, through: np.ndarray, direction: np.ndarray) -> tuple[float, float] | None:
    """Where the line through a place (2,) along a unit vector (2,) enters an outline and leaves it at last, [m] from the place."""
    a, b = outline - through, np.roll(outline, -1, 0) - through
    across = np.array([-direction[1], direction[0]])
    left, right = a @ across, b @ across
    crosses = (left > 0) != (right > 0)
    if not crosses.any():
        return None
    share = left[crosses] / (left[crosses] - right[crosses])
    at = (a[crosses] + share[:, None] * (b[crosses] - a[crosses])) @ direction
    return float(at.min()), float(at.max())


def turned(outline: np.ndarray, yaw: float) -> np.ndarray:
    """The outline (P, 2) turned by `yaw` [rad]."""
    c, s = np.cos(yaw), np.sin(yaw)
    return outline @ np.array([[c, s], [-s, c]])


def even(around: np.ndarray, count: int) -> np.ndarray:
    """Places (count, 2) equally far from each other along a closed line through places (P, 2), from the first one on."""
    closed = np.concatenate([around, around[:1]])
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = travelled[-1] * np.arange(count) / count
    return np.stack([np.interp(wanted, travelled, closed[:, axis]) for axis in (0, 1)], -1)


def begun_ahead(outline: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Outlines (..., P, 2) in frames turned by angles (...,) [rad]; the first place is on the new x axis, as models expect it."""
    cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
    x, y = cos * outline[..., 0] + sin * outline[..., 1], cos * outline[..., 1] - sin * outline[..., 0]
    at, after = np.arctan2(y, x), np.arctan2(np.roll(y, -1, -1), np.roll(x, -1, -1))
    crosses = (at < 0) & (after >= 0) & (after - at < np.pi)
    first = np.argmax(crosses, -1)[..., None]
    here, there = np.take_along_axis(at, first, -1), np.take_along_axis(after, first, -1)
    begin = first + np.where(crosses.any(-1, keepdims=True), -here / np.maximum(there - here, 1e-9), 0.0)
    count = outline.shape[-2]
    wanted = begin + np.arange(count)
    low = np.floor(wanted).astype(int)
    share = wanted - low
    places = [
        np.take_along_axis(each, low % count, -1) * (1 - share)
        + np.take_along_axis(each, (low + 1) % count, -1) * share
        for each in (x, y)
    ]
    return np.stack(places, -1)
