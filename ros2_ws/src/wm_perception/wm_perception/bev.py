"""Calibrated depth cameras -> one bird's-eye-view map of the workspace, the input of the encoder.

Channels (5, rows, columns) float32: height / z_max clipped to 0..1, r, g, b in 0..1, observed 0 or 1. Rows run along base x,
columns along base y. The highest point seen in a cell wins; points of the robot itself are left out.
"""

from collections.abc import Sequence

import numpy as np

from wm_core.bundle import BevSpec

Box = tuple[np.ndarray, np.ndarray]  # pose (4, 4) in the base frame and half extents (3,) [m]
LOWEST = -0.03  # [m] points below are no table but noise
TOOL_LOWEST = 0.015  # [m] below the fingertips, which stay at wm_core.kinematics.TOOL_HEIGHT
CHANNELS = 5


class Projector:
    """Projects the images of one calibrated camera; ray directions and buffers are made once."""

    def __init__(self, K: np.ndarray, T_base_optical: np.ndarray, height: int, width: int, spec: BevSpec) -> None:
        self._spec = spec
        self._shape = (height, width)
        v, u = np.mgrid[0:height, 0:width]
        rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u, float)], -1).reshape(-1, 3)
        # Base frame: point = depth * (R ray) + t
        self._directions = (rays @ T_base_optical[:3, :3].T).astype(np.float32)
        self._origin = T_base_optical[:3, 3].astype(np.float32)

    def points(self, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) [m] in the base frame of all valid pixels, and their flat pixel indices (n,).

        `depth` (H, W) float32 [m]; 0, negative, NaN and infinite values are no reading.
        """
        if depth.shape != self._shape:
            raise ValueError(f"expected a depth image of shape {self._shape}, got {depth.shape}")
        flat = depth.reshape(-1)
        valid = np.flatnonzero((flat > 0) & (flat < np.inf))
        return self._directions[valid] * flat[valid, None] + self._origin, valid

    def project(self, rgb: np.ndarray, depth: np.ndarray, boxes: Sequence[Box] = ()) -> np.ndarray:
        """Map (5, rows, columns) of one colour image (H, W, 3) uint8 and depth image (H, W) [m], without points in `boxes`."""
        if rgb.shape != (*self._shape, 3):
            raise ValueError(f"expected a colour image of shape {(*self._shape, 3)}, got {rgb.shape}")
        spec = self._spec
        points, pixels = self.points(depth)
        row = ((points[:, 0] - spec.x_min) / spec.cell).astype(np.int32)
        column = ((points[:, 1] - spec.y_min) / spec.cell).astype(np.int32)
        inside = (
            (points[:, 0] >= spec.x_min)
            & (row < spec.rows)
            & (points[:, 1] >= spec.y_min)
            & (column < spec.columns)
            & (points[:, 2] > LOWEST)
            & (points[:, 2] < spec.z_max)
        )
        keep = np.flatnonzero(inside)
        high = points[keep, 2] > TOOL_LOWEST  # most points are table: no robot can be there
        robot = np.zeros(len(keep), bool)
        robot[high] = in_boxes(points[keep[high]], boxes)
        keep = keep[~robot]
        # Later writes win: ascending height leaves the highest point of each cell.
        keep = keep[np.argsort(points[keep, 2], kind="stable")]
        cell = row[keep] * spec.columns + column[keep]
        bev = np.zeros((CHANNELS, spec.rows * spec.columns), np.float32)
        bev[0, cell] = np.clip(points[keep, 2] / spec.z_max, 0, 1)
        bev[1:4, cell] = rgb.reshape(-1, 3)[pixels[keep]].T / np.float32(255)
        bev[4, cell] = 1
        return fill_holes(bev.reshape(CHANNELS, spec.rows, spec.columns))


def project(
    rgb: np.ndarray, depth: np.ndarray, K: np.ndarray, T_base_optical: np.ndarray, boxes: Sequence[Box], spec: BevSpec
) -> np.ndarray:
    """Map (5, rows, columns) of one camera's images; use a Projector for a stream."""
    height, width = depth.shape
    return Projector(K, T_base_optical, height, width, spec).project(rgb, depth, boxes)


def in_boxes(points: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Which points (n, 3) lie inside any oriented box -> (n,) bool."""
    inside = np.zeros(len(points), bool)
    for pose, half in boxes:
        local = np.abs((points - pose[:3, 3].astype(np.float32)) @ pose[:3, :3].astype(np.float32))
        inside |= (local[:, 0] <= half[0]) & (local[:, 1] <= half[1]) & (local[:, 2] <= half[2])
    return inside


def fill_holes(bev: np.ndarray) -> np.ndarray:
    """Fill unobserved cells between two observed ones of the same row or column: gaps between neighbouring pixels, not shadows."""
    observed = bev[4] > 0
    for axis in (1, 2):
        before, after = np.roll(bev, 1, axis), np.roll(bev, -1, axis)
        gap = ~observed & (before[4] > 0) & (after[4] > 0)
        edge = [slice(None), slice(None)]
        for end in (0, -1):
            edge[axis - 1] = end  # type: ignore[call-overload]
            gap[tuple(edge)] = False
            edge[axis - 1] = slice(None)
        if gap.any():
            lower = np.where(before[0] <= after[0], before, after)  # a gap beside an object belongs to what is below
            bev = np.where(gap, lower, bev)
            observed = bev[4] > 0
    return bev


def fuse(maps: Sequence[np.ndarray]) -> np.ndarray:
    """One map of several cameras' maps (5, rows, columns): per cell the observed one with the greatest height."""
    if not maps:
        raise ValueError("expected at least one camera's map, got none")
    fused = maps[0]
    for other in maps[1:]:
        better = (other[4] > 0) & ((fused[4] == 0) | (other[0] > fused[0]))
        fused = np.where(better, other, fused)
    return fused
