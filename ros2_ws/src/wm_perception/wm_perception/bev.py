"""Calibrated depth cameras -> one bird's-eye-view map of the workspace, the input of the encoder.

Channels (5, rows, columns) float32: height / z_max clipped to 0..1, r, g, b in 0..1, observed 0 or 1. Rows run along base x,
columns along base y. The highest point seen in a cell wins; points of the robot itself are left out.
"""

from collections.abc import Sequence

import numpy as np

from wm_core.rig import CameraRig
from wm_core.rotations import parts_of
from wm_core.specs import BevSpec

Box = tuple[np.ndarray, np.ndarray]  # pose (4, 4) in the base frame and half extents (3,) [m]
LOWEST = -0.03  # [m] points below are no table but noise
TABLE_NOISE = 0.004  # [m] points below are taken for the table itself
TOOL_LOWEST = 0.015  # [m] below the tool at its height of pushing
CHANNELS = 5


class Projector:
    """Projects the images of one calibrated camera; ray directions are made once."""

    def __init__(self, K: np.ndarray, T_table_optical: np.ndarray, height: int, width: int, spec: BevSpec) -> None:
        self._spec = spec
        self._shape = (height, width)
        v, u = np.mgrid[0:height, 0:width]
        rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u, float)]).reshape(3, -1)
        # Base frame: point = depth * (R ray) + t
        rotation, origin = parts_of(T_table_optical)
        self._directions = (rotation @ rays).astype(np.float32)
        self._origin = origin.astype(np.float32)

    def points(self, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) [m] in the base frame of all valid pixels, and their flat pixel indices (n,).

        `depth` (H, W) float32 [m]; 0, negative, NaN and infinite values are no reading.
        """
        coordinates, valid = self._coordinates(depth)
        pixels = np.flatnonzero(valid)
        return coordinates[:, pixels].T.copy(), pixels

    def _coordinates(self, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x, y, z (3, H W) [m] of every pixel and which of them have a reading (H W,); without one, the camera's centre."""
        if depth.shape != self._shape:
            raise ValueError(f"expected a depth image of shape {self._shape}, got {depth.shape}")
        flat = depth.reshape(-1)
        valid = (flat > 0) & (flat < np.inf)
        return self._directions * np.where(valid, flat, 0).astype(np.float32) + self._origin[:, None], valid

    def project(self, rgb: np.ndarray, depth: np.ndarray, boxes: Sequence[Box] = ()) -> np.ndarray:
        """Map (5, rows, columns) of one colour image (H, W, 3) uint8 and depth image (H, W) [m], without points in `boxes`."""
        if rgb.shape != (*self._shape, 3):
            raise ValueError(f"expected a colour image of shape {(*self._shape, 3)}, got {rgb.shape}")
        spec = self._spec
        (x, y, z), valid = self._coordinates(depth)
        row = ((x - spec.x_min) / spec.cell).astype(np.int32)
        column = ((y - spec.y_min) / spec.cell).astype(np.int32)
        inside = valid & (x >= spec.x_min) & (row < spec.rows) & (y >= spec.y_min) & (column < spec.columns)
        inside &= (z > LOWEST) & (z < spec.z_max)
        # Most points are table: there the robot cannot be, and which of a cell's points is kept makes no difference.
        table = np.flatnonzero(inside & (z <= TABLE_NOISE))
        above = np.flatnonzero(inside & (z > TABLE_NOISE))
        tall = z[above] > TOOL_LOWEST
        robot = np.zeros(len(above), bool)
        robot[tall] = in_boxes(np.stack([x, y, z], -1)[above[tall]], boxes)
        above = above[~robot]
        # Later writes win: ascending height leaves the highest point of each cell.
        keep = np.concatenate([table, above[np.argsort(z[above], kind="stable")]])
        cell = row[keep] * spec.columns + column[keep]
        bev = np.zeros((CHANNELS, spec.rows * spec.columns), np.float32)
        bev[0, cell] = np.clip(z[keep] / spec.z_max, 0, 1)
        bev[1:4, cell] = rgb.reshape(-1, 3)[keep].T / np.float32(255)
        bev[4, cell] = 1
        return fill_holes(bev.reshape(CHANNELS, spec.rows, spec.columns))


class Projectors:
    """The projectors of a rig's cameras, made once for each size and lens that comes."""

    def __init__(self, rig: CameraRig, spec: BevSpec) -> None:
        self._spec, self._poses = spec, {camera.name: camera.T_table_optical for camera in rig.cameras}
        self._made: dict[tuple, Projector] = {}

    def of(self, name: str, K: np.ndarray, shape: tuple[int, ...], pose: np.ndarray | None = None) -> Projector:
        """Of images of a `shape` (height, width) with intrinsics `K` (3, 3). `pose` (4, 4): of a camera that stands elsewhere than the
        rig says; one that is known counts until it is forgotten. Raises ValueError for a camera that is not in the rig.
        """
        if name not in self._poses:
            raise ValueError(f"expected a camera of the rig ({', '.join(self._poses)}), got '{name}'")
        height, width = shape
        key = (name, height, width, *np.round(K[[0, 1, 0, 1], [0, 1, 2, 2]], 3))
        if key not in self._made:
            if len(self._made) > 4 * len(self._poses):  # intrinsics that never settle must not fill the memory
                self._made.clear()
            self._made[key] = Projector(K, self._poses[name] if pose is None else pose, height, width, self._spec)
        return self._made[key]

    def forget(self, name: str) -> None:
        """A camera stands elsewhere."""
        self._made = {key: made for key, made in self._made.items() if key[0] != name}


def in_boxes(points: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Which points (n, 3) lie inside any oriented box -> (n,) bool."""
    inside = np.zeros(len(points), bool)
    for pose, half in boxes:
        rotation, centre = (part.astype(np.float32) for part in parts_of(pose))
        x, y, z = np.abs((points - centre) @ rotation).T
        inside |= (x <= half[0]) & (y <= half[1]) & (z <= half[2])
    return inside


def fill_holes(bev: np.ndarray) -> np.ndarray:
    """Fill, in place, unobserved cells between two observed ones of the same row or column: gaps between neighbouring
    pixels, not shadows. What is lower of the two is taken: a gap beside an object belongs to what is below."""
    for view in (bev, bev.transpose(0, 2, 1)):
        observed = view[4] > 0
        line, place = np.nonzero(~observed[1:-1] & observed[:-2] & observed[2:])
        lower = np.where(view[0, line, place] <= view[0, line + 2, place], line, line + 2)
        view[:, line + 1, place] = view[:, lower, place]
    return bev


def cell_centres(spec: BevSpec) -> np.ndarray:
    """Centres (rows, columns, 2) float32 [m] of a map's cells: x along the rows, y along the columns."""
    half = np.float32(0.5)
    x = (np.arange(spec.rows, dtype=np.float32) + half) * np.float32(spec.cell) + np.float32(spec.x_min)
    y = (np.arange(spec.columns, dtype=np.float32) + half) * np.float32(spec.cell) + np.float32(spec.y_min)
    return np.stack(np.meshgrid(x, y, indexing="ij"), -1)


def fuse(maps: Sequence[np.ndarray]) -> np.ndarray:
    """One map of several cameras' maps (5, ..., rows, columns): per cell the observed one with the greatest height."""
    if not maps:
        raise ValueError("expected at least one camera's map, got none")
    fused = maps[0]
    for other in maps[1:]:
        better = (other[4] > 0) & ((fused[4] == 0) | (other[0] > fused[0]))
        fused = np.where(better, other, fused)
    return fused
