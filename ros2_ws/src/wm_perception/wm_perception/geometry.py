"""Objects by geometry, without learning: table plane, clusters above it, oriented boxes. Labels on a real robot."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import open3d

from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.specs import BevSpec
from wm_perception.bev import Projector, in_boxes
from wm_perception.pipeline import CameraFrame, shrink
from wm_perception.robot_mask import RobotMask

PLANE_DISTANCE = 0.006  # [m] points closer than this belong to the table
ABOVE = (0.010, 0.30)  # [m] height of objects above the plane
CLUSTER_DISTANCE = 0.02  # [m] DBSCAN radius
CLUSTER_POINTS = 12
VOXEL = 0.004  # [m]
# What is shown of a cell: the arm stands beside the workspace, and reaches over it.
AROUND = 0.7  # [m] beyond the workspace's edges
HEIGHTS = (-0.2, 1.5)  # [m]
SHOWN_VOXEL = 0.008  # [m]
SEED = 0


@dataclass(frozen=True)
class Detection:
    """An object: centre (3,) [m], yaw [rad] and size (3,) [m] of its box about the vertical axis, points in its cluster."""

    centre: np.ndarray
    yaw: float
    size: np.ndarray
    points: int


@dataclass(frozen=True)
class Detections:
    """Objects, largest first; plane (4,) a, b, c, d with unit normal; object points (n, 3) [m] and colours (n, 3) uint8."""

    objects: list[Detection]
    plane: np.ndarray
    points: np.ndarray
    colours: np.ndarray


class Geometry:
    """Finds objects in the depth images of a rig."""

    def __init__(self, rig: CameraRig, kinematics: Kinematics, workspace: BevSpec) -> None:
        self._rig = {camera.name: camera for camera in rig.cameras}
        self._mask = RobotMask(kinematics)
        self._lower = np.array([workspace.x_min, workspace.y_min])
        self._upper = self._lower + workspace.cell * np.array([workspace.rows, workspace.columns])
        self._workspace = workspace

    def detect(self, frames: Mapping[str, CameraFrame], q: np.ndarray) -> Detections:
        """Objects in frames of one instant at arm joints `q` (7,) [rad]; raises ValueError without a table in sight."""
        points, colours = self.cloud(frames, q)
        return detect(points, colours)

    def cloud(self, frames: Mapping[str, CameraFrame], q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) [m] over the workspace without the robot, and colours (n, 3) uint8."""
        points, colours = self._seen(frames, 0.0, (-ABOVE[1], ABOVE[1]))
        keep = ~in_boxes(points, self._mask.boxes(q))
        return points[keep], colours[keep]

    def surroundings(self, frames: Mapping[str, CameraFrame]) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) [m] of all that is seen in and around the workspace, arm and table too, thinned, and colours (n, 3) uint8."""
        points, colours = self._seen(frames, AROUND, HEIGHTS)
        if not len(points):
            return points, colours
        thin = _cloud(points, colours).voxel_down_sample(SHOWN_VOXEL)
        return np.asarray(thin.points, np.float32), (255 * np.asarray(thin.colors)).round().astype(np.uint8)

    def _seen(
        self, frames: Mapping[str, CameraFrame], around: float, heights: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points and colours within `heights` [m] over the workspace and `around` [m] of it."""
        lower, upper = self._lower - around, self._upper + around
        clouds, colours = [], []
        for name, frame in frames.items():
            frame = shrink(frame)
            height, width = frame.depth.shape
            camera = Projector(frame.K, self._rig[name].T_table_optical, height, width, self._workspace)
            points, pixels = camera.points(frame.depth)
            inside = ((points[:, :2] >= lower) & (points[:, :2] < upper)).all(1)
            keep = np.flatnonzero(inside & (points[:, 2] > heights[0]) & (points[:, 2] < heights[1]))
            clouds.append(points[keep])
            colours.append(frame.rgb.reshape(-1, 3)[pixels[keep]])
        return np.concatenate(clouds), np.concatenate(colours)


def detect(points: np.ndarray, colours: np.ndarray) -> Detections:
    """Table plane by RANSAC (seeded), DBSCAN clusters above it, boxes about the plane's vertical."""
    if len(points) < 100:
        raise ValueError(
            f"expected a view of the table (100 points or more), got {len(points)} points; check cameras and calibration"
        )
    cloud = _cloud(points, colours).voxel_down_sample(VOXEL)
    open3d.utility.random.seed(SEED)
    plane, _ = cloud.segment_plane(PLANE_DISTANCE, 3, 200)
    plane = np.asarray(plane) * (1 if plane[2] >= 0 else -1)
    *normal, offset = plane
    if plane[2] < 0.9:
        raise ValueError(
            f"expected a horizontal table, the largest plane has normal {np.round(normal, 2)}; check the calibration"
        )
    places, tints = np.asarray(cloud.points), np.asarray(cloud.colors)
    height = places @ np.array(normal) + offset
    above = (height > ABOVE[0]) & (height < ABOVE[1])
    objects_cloud = cloud.select_by_index(np.flatnonzero(above).tolist())
    places, tints, height = places[above], (255 * tints[above]).astype(np.uint8), height[above]
    labels = (
        np.asarray(objects_cloud.cluster_dbscan(CLUSTER_DISTANCE, CLUSTER_POINTS)) if len(places) else np.empty(0, int)
    )
    found = [_box(places[labels == label], height[labels == label]) for label in range(labels.max(initial=-1) + 1)]
    found.sort(key=lambda detection: -detection.points)
    return Detections(found, plane, places[labels >= 0].astype(np.float32), tints[labels >= 0])


def _cloud(points: np.ndarray, colours: np.ndarray) -> open3d.geometry.PointCloud:
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points.astype(float)))
    cloud.colors = open3d.utility.Vector3dVector(colours / 255.0)
    return cloud


def _box(points: np.ndarray, height: np.ndarray) -> Detection:
    """Smallest-area upright box: the yaw is searched in whole degrees over a quarter turn."""
    xy = points[:, :2]
    angles = np.radians(np.arange(0, 90))
    axes = np.stack([np.cos(angles), np.sin(angles)], -1)
    across = np.stack([-np.sin(angles), np.cos(angles)], -1)
    along, side = xy @ axes.T, xy @ across.T
    areas = np.ptp(along, 0) * np.ptp(side, 0)
    best = int(np.argmin(areas))
    a, s = along[:, best], side[:, best]
    middle = (a.max() + a.min()) / 2 * axes[best] + (s.max() + s.min()) / 2 * across[best]
    top = float(np.quantile(height, 0.95))
    base = float(points[:, 2].mean() - height.mean())  # z of the table below the object
    centre = np.array([*middle, base + top / 2])
    return Detection(centre, float(angles[best]), np.array([np.ptp(a), np.ptp(s), top]), len(points))
