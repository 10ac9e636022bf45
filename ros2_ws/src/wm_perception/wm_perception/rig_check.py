"""Whether cameras still stand where the rig says: by the table's plane and the arm, both seen in depth.

Points near the table should lie on it, points near the arm on its surface. The change of the camera's pose that brings them there is
found by least squares (iterative closest point with point-to-plane distances, Chen and Medioni 1992), and how well each
part of it can be seen. The table says height and tilt, the arm the rest, where it is in sight.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import open3d
from open3d.core import Tensor

from wm_core.kinematics import Kinematics
from wm_core.meshes import link_shapes
from wm_core.rotations import parts_of, pose_of

NEAR_TABLE = 0.04  # [m] points of the table are looked for so far from it; a bump is smaller
NEAR_ARM = 0.03
ABOVE_TABLE = 0.06  # [m] from there on points may be of the arm
TABLE_SIGMA, ARM_SIGMA = 0.002, 0.004  # [m] of a point, from noise of the sensor and shapes of the links
MOST_TABLE, MOST_ARM = 300, 500  # points a frame
LARGEST_SIDE = 160  # [px] of larger images only some rows and columns are read
FEWEST = 100  # points of the table or of the arm a frame, to say anything
ITERATIONS = 6
CAREFUL = 20  # times as many, and steps as much smaller
CONVERGED = 1e-4  # [rad, m] of a step
CORRELATED = 10.0  # points err together: so many count as one
SEEN = 0.002  # [m] at the table: a part of the change that is known less well stays as it is


@dataclass(frozen=True)
class Depth:
    """A depth image (H, W) float32 [m] with intrinsics `K` (3, 3), taken at joints `q` (n,) [rad]."""

    depth: np.ndarray
    K: np.ndarray
    q: np.ndarray


@dataclass(frozen=True)
class Change:
    """How a camera stands other than the rig says. `pose` (4, 4): its optical frame in the table frame, as far as it can be seen.

    `shift` [m], `angle` [degrees]: of the camera; `at_table` [m]: by how much points in the workspace are off. `unseen`: parts of the
    change that these frames do not show. `arm_points`: how many were on the arm.
    """

    pose: np.ndarray
    shift: float
    angle: float
    at_table: float
    unseen: tuple[str, ...]
    arm_points: int


class ArmSurface:
    """The surface of the arm's links that cameras see."""

    def __init__(self, kinematics: Kinematics) -> None:
        """Raises MeshError for a link that is not in the description or a mesh that cannot be read."""
        self._kinematics = kinematics
        links = [link for part in kinematics.robot.mask for link in part.links]
        self._shapes = link_shapes(kinematics.description, links)
        fixed = np.cumsum([0, *(len(shape.vertices) for shape in self._shapes)])
        self._triangles = np.concatenate(
            [shape.triangles + first for shape, first in zip(self._shapes, fixed, strict=False)]
        ).astype(np.uint32)

    def scene(self, q: np.ndarray) -> open3d.t.geometry.RaycastingScene:
        """The links at joints `q` (n,) [rad], in the table frame; the fingers are where they are at zero."""
        poses = self._kinematics.link_poses([shape.link for shape in self._shapes], q)
        vertices = []
        for shape, pose in zip(self._shapes, poses, strict=True):
            rotation, origin = parts_of(pose @ shape.pose)
            vertices.append(shape.vertices @ rotation.T + origin)
        scene = open3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(
            Tensor.from_numpy(np.concatenate(vertices).astype(np.float32)), Tensor.from_numpy(self._triangles)
        )
        return scene


def look(
    frames: Sequence[Depth], camera: np.ndarray, surface: ArmSurface, workspace: np.ndarray, careful: bool = False
) -> Change | None:
    """How a camera stands other than at `camera` (4, 4), from its frames; None where neither table nor arm is in sight.

    `workspace` (2, 2) [m]: lower and upper corner of the part of the table where points count. `careful`: go on
    until nothing changes any more, where the change is to be used and not only noticed.
    """
    middle = np.append(workspace.mean(0), 0.0)
    clouds = [(_points(frame), surface.scene(frame.q)) for frame in frames]
    pose, normal, arm_points = camera, np.zeros((6, 6)), 0
    for _ in range(CAREFUL * ITERATIONS if careful else ITERATIONS):
        normal, right, arm_points, count = np.zeros((6, 6)), np.zeros(6), 0, 0
        for points, scene in clouds:
            placed = points @ pose[:3, :3].T + pose[:3, 3]
            table = _table(placed, workspace)
            arm = _arm(placed, scene)
            arm_points, count = arm_points + len(arm[0]), count + len(arm[0]) + len(table[0])
            for (places, normals, distances), sigma in ((table, TABLE_SIGMA), (arm, ARM_SIGMA)):
                rows = np.c_[np.cross(places - middle, normals), normals]
                weights = _weights(distances, sigma)
                normal += (rows.T * weights) @ rows
                right -= rows.T @ (weights * distances)
        if count < FEWEST * len(frames):
            return None
        step = _seen_part(normal)[0] @ right
        pose = _turned_about(pose, middle, step)
        if np.abs(step).max() < (CONVERGED / CAREFUL if careful else CONVERGED):
            break
    change = pose @ np.linalg.inv(camera)
    corners = np.array([[x, y, 0.0] for x in workspace[:, 0] for y in workspace[:, 1]])
    moved = corners @ change[:3, :3].T + change[:3, 3] - corners
    angle = float(np.degrees(np.linalg.norm(cv2.Rodrigues(change[:3, :3])[0])))
    shift = float(np.linalg.norm(pose[:3, 3] - camera[:3, 3]))
    return Change(pose, shift, angle, float(np.sqrt((moved**2).sum(1).mean())), _seen_part(normal)[1], arm_points)


def _points(frame: Depth) -> np.ndarray:
    """All points (n, 3) [m] in the optical frame, without those at edges, where depth is of neither side."""
    every = max(1, max(frame.depth.shape) // LARGEST_SIDE)
    depth = frame.depth[::every, ::every]
    depth = np.where(np.isfinite(depth), depth, 0.0)
    low, high = cv2.erode(depth, np.ones((3, 3))), cv2.dilate(depth, np.ones((3, 3)))
    v, u = np.nonzero((depth > 0) & (low > 0) & (high - low < 0.03 * depth + 0.01))
    z = depth[v, u].astype(float)
    K = frame.K
    return np.stack([(every * u - K[0, 2]) / K[0, 0] * z, (every * v - K[1, 2]) / K[1, 1] * z, z], 1)


def _table(points: np.ndarray, workspace: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (m, 3) that should be on the table, their normals and distances from it."""
    inside = (np.abs(points[:, 2]) < NEAR_TABLE) & (
        (points[:, :2] > workspace[0]) & (points[:, :2] < workspace[1])
    ).all(1)
    found = _thinned(points[inside], MOST_TABLE)
    return found, np.tile([0.0, 0.0, 1.0], (len(found), 1)), found[:, 2]


def _arm(points: np.ndarray, scene: open3d.t.geometry.RaycastingScene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (m, 3) that should be on the arm, its normals there and their distances from it."""
    high = _thinned(points[points[:, 2] > ABOVE_TABLE], 2 * MOST_ARM).astype(np.float32)
    if not len(high):
        return high, high, np.zeros(0)
    found = scene.compute_closest_points(Tensor.from_numpy(high))
    away = high - found["points"].numpy()
    normals = found["primitive_normals"].numpy()
    distances = np.einsum("ij,ij->i", away, normals)
    sides = np.linalg.norm(away, axis=1)
    # Past the edge of a link the nearest point lies on its rim: there the distance is not along the normal, and says nothing.
    kept = np.flatnonzero((sides < NEAR_ARM) & (sides - np.abs(distances) < 0.3 * sides + 1e-4))
    kept = kept[:: max(1, len(kept) // MOST_ARM)]
    return high[kept].astype(float), normals[kept].astype(float), distances[kept].astype(float)


def _thinned(points: np.ndarray, most: int) -> np.ndarray:
    return points[:: max(1, -(-len(points) // most))]


def _weights(distances: np.ndarray, sigma: float) -> np.ndarray:
    """After Geman and McClure (1985): what is far off is something else. The spread is what it is seen to be, down to `sigma`."""
    if not len(distances):
        return distances
    middle = float(np.median(distances))
    spread = max(sigma, 1.5 * float(np.median(np.abs(distances - middle))), abs(middle))
    return 1.0 / (CORRELATED * sigma**2 * (1 + (distances / (2 * spread)) ** 2) ** 2)


_PARTS = ("rotation about x", "rotation about y", "rotation about z", "x", "y", "height")
_REACH = 0.3  # [m] from the middle of the workspace: what a rotation moves there


def _seen_part(normal: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The inverse of normal equations (6, 6) in those parts that are known well enough, and names of those that are not."""
    scale = np.array([1 / _REACH] * 3 + [1.0] * 3)  # so that all are lengths at the table
    values, vectors = np.linalg.eigh(scale[:, None] * normal * scale)
    known = values > 1 / SEEN**2
    inverse = (vectors[:, known] / values[known]) @ vectors[:, known].T
    hidden = (vectors[:, ~known] ** 2).sum(1)
    return scale[:, None] * inverse * scale, tuple(
        name for name, part in zip(_PARTS, hidden, strict=True) if part > 0.3
    )


def _turned_about(pose: np.ndarray, middle: np.ndarray, step: np.ndarray) -> np.ndarray:
    turn = cv2.Rodrigues(step[:3])[0]
    return pose_of(turn, middle - turn @ middle + step[3:]) @ pose
