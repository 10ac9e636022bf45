"""What the cameras see of the table from above, without the robot: how high it is there, and where nobody looked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from wm_core.hand import Hand
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.rotations import pose_of
from wm_core.specs import BevSpec
from wm_perception.bev import Box, Projector, Projectors, fuse
from wm_perception.pipeline import CameraFrame, shrink
from wm_perception.robot_mask import RobotMask
from wm_perception.scene.level import TableLevel
from wm_perception.scene.shift import CameraShifts

CELL = 0.004  # [m]
AROUND = 0.05  # [m] beyond the tool's reach that is looked at
HIGHEST = 0.4  # [m] of what is looked at
FINGER_MARGIN = 0.008  # [m] around the fingers
FIRST, EVERY = 5, 20  # looks in which it is looked how the table lies: at first; later
THIN, MATTERS = 4, 0.0003  # pixel that is looked at then; [m] of height or slope by which a camera must have moved
LOW = 0.010  # [m] above which something stands on the table


@dataclass(frozen=True)
class Surface:
    """A map of cells: `height` (X, Y) [m], 0 where nobody looked; `seen` (X, Y) bool; `colour` (3, X, Y) 0..1; `lower` (2,) [m]: its
    corner.
    """

    lower: np.ndarray
    height: np.ndarray
    seen: np.ndarray
    colour: np.ndarray
    cell: float = CELL

    @property
    def occupied(self) -> np.ndarray:
        """Where something stands (X, Y) bool."""
        return self.seen & (self.height > LOW)

    def places(self, cells: np.ndarray) -> np.ndarray:
        """Middles (n, 2) [m] of cells (n, 2)."""
        return self.lower + (cells + 0.5) * self.cell

    def at(self, values: np.ndarray, places: np.ndarray, beyond: float) -> np.ndarray:
        """A map (X, Y) between its cells, at places (..., 2) [m]; `beyond` outside of it."""
        cells = np.moveaxis((places - self.lower) / self.cell - 0.5, -1, 0)
        found = map_coordinates(
            np.asarray(values, np.float32), cells.reshape(2, -1), order=1, mode="constant", cval=beyond
        )
        return found.reshape(cells.shape[1:])


class SurfaceCamera:
    """Makes surfaces of the depth images of a rig, of where the robot's tool can be and AROUND it."""

    def __init__(self, rig: CameraRig, kinematics: Kinematics) -> None:
        bounds = kinematics.robot.tool_bounds
        lower, upper = bounds.lower[:2] - AROUND, bounds.upper[:2] + AROUND
        self.cameras = {camera.name: camera for camera in rig.cameras}
        self._mask, self._kinematics = RobotMask(kinematics), kinematics
        self._hand = Hand.of(kinematics.robot)
        rows, columns = np.ceil((upper - lower) / CELL).astype(int)
        self._spec = BevSpec(float(lower[0]), float(lower[1]), CELL, int(rows), int(columns), HIGHEST)
        self._projectors = Projectors(rig, self._spec)
        self._levels = {name: TableLevel((lower + upper) / 2) for name in self.cameras}
        self._shifts = CameraShifts(list(self.cameras))
        self._looks = 0

    @property
    def settled(self) -> bool:
        """Whether there were looks enough to know how the cameras stand: before, what two of them see is smeared."""
        return self._looks >= FIRST

    def look(self, frames: Mapping[str, CameraFrame], q: np.ndarray, opening: float) -> Surface:
        """Frames of one instant by camera of the rig, at arm joints `q` (n,) [rad] and an opening [m] of the fingers.

        Raises ValueError without frames.
        """
        boxes = [*self._mask.boxes(q), *self._fingers(q, opening)]
        maps, again = {}, self._looks % EVERY == 0 or self._looks < FIRST
        for name, frame in frames.items():
            small = shrink(frame)
            if again:
                self._level(name, small)
            projector = self._projectors.of(name, small.K, small.depth.shape, self._corrected(name))
            maps[name] = projector.project(small.rgb, small.depth, boxes)
        if again:
            self._shift(maps)
        self._looks += 1
        fused = fuse(list(maps.values()))
        lower = np.array([self._spec.x_min, self._spec.y_min])
        return Surface(lower, fused[0] * HIGHEST, fused[4] > 0, fused[1:4], self._spec.cell)

    def _fingers(self, q: np.ndarray, opening: float) -> list[Box]:
        """Boxes around the fingers as they are open, which the robot's mask takes for closed."""
        tool, hand = self._kinematics.tool(q).values, self._hand
        opening = opening if np.isfinite(opening) else hand.opening[0]
        rotation = Rotation.from_euler("ZY", tool[3:5]).as_matrix()
        return [
            (pose_of(rotation, tool[:3] + rotation @ centre), half + FINGER_MARGIN)
            for centre, half in zip(hand.centres(np.array(opening)), hand.halves, strict=True)
        ]

    def _level(self, name: str, frame: CameraFrame) -> None:
        """Look again how the table lies for a camera; its projector is made anew where that has changed."""
        level, thin = self._levels[name], frame.depth[::THIN, ::THIN]
        K = np.array(frame.K, float)
        K[:2] /= THIN
        height, width = thin.shape
        base = Projector(K, self.cameras[name].T_table_optical, height, width, self._spec)
        before = level.plane.copy()
        level.add(base.points(thin)[0])
        if np.abs(level.plane - before).max() > MATTERS:
            self._projectors.forget(name)

    def _shift(self, maps: Mapping[str, np.ndarray]) -> None:
        """Look again where cameras see the same objects; projectors are made anew where that has changed."""
        before = dict(self._shifts.shifts)
        self._shifts.add({name: np.where(each[4] > 0, each[0] * HIGHEST, np.nan) for name, each in maps.items()}, CELL)
        for name, shift in self._shifts.shifts.items():
            if np.abs(shift - before[name]).max() > MATTERS:
                self._projectors.forget(name)

    def _corrected(self, name: str) -> np.ndarray:
        """A camera's (4, 4), put right by the table and by what other cameras see."""
        pose = self._levels[name].correction @ self.cameras[name].T_table_optical
        pose[:2, 3] += self._shifts.shifts[name]
        return pose
