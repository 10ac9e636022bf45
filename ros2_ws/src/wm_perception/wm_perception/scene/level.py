"""The table as each camera sees it: a camera whose pose is a little wrong is tilted and lifted until the table is level and at 0."""

import numpy as np

from wm_core.rotations import pose_of

NEAR = 0.04  # [m] above and below the table, where its points are looked for
INLIER = 0.006  # [m] from the plane
FEWEST = 300  # points of a plane
ROUNDS = 4  # of fitting and leaving out what is no table
SHARE = 0.2  # of a new look, in the mean of all
MOST_LIFT, MOST_TILT = 0.02, np.radians(2.0)  # [m], [rad] that are put right; more is another table


class TableLevel:
    """Of one camera, around the middle (2,) [m] of what is looked at."""

    def __init__(self, middle: np.ndarray) -> None:
        self._middle = np.asarray(middle, float)
        self.plane = np.zeros(3)  # height [m] at the middle, and slopes along x and y
        self.looks = 0

    def add(self, points: np.ndarray) -> None:
        """Points (n, 3) [m] of a look, as the rig has the camera."""
        plane = _plane(points - [*self._middle, 0.0])
        if plane is None or abs(plane[0]) > MOST_LIFT or np.hypot(*plane[1:]) > np.tan(MOST_TILT):
            return
        self.looks += 1
        self.plane += max(SHARE, 1 / self.looks) * (plane - self.plane)

    @property
    def correction(self) -> np.ndarray:
        """(4, 4), to be applied to the camera's pose in the table frame."""
        height, along_x, along_y = self.plane
        up = np.array([-along_x, -along_y, 1.0]) / np.sqrt(1 + along_x**2 + along_y**2)
        axis = np.cross(up, [0.0, 0.0, 1.0])
        cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        rotation = np.eye(3) + cross + cross @ cross / (1 + up[2])  # the smallest that turns `up` upwards (Rodrigues)
        pivot = np.array([*self._middle, height])
        return pose_of(rotation, np.array([*self._middle, 0.0]) - rotation @ pivot)


def _plane(points: np.ndarray) -> np.ndarray | None:
    """Height and slopes (3,) of the largest level plane; None where there is none."""
    near = points[np.abs(points[:, 2]) < NEAR]
    if len(near) < FEWEST:
        return None
    off = near[:, 2] - np.median(near[:, 2])
    plane = np.array([np.median(near[:, 2]), 0.0, 0.0])
    for number in range(ROUNDS):
        inlier = np.abs(off) < INLIER * (ROUNDS - number)
        if inlier.sum() < FEWEST:
            return None
        facts = np.column_stack([np.ones(inlier.sum()), near[inlier, :2]])
        plane = np.linalg.lstsq(facts, near[inlier, 2], rcond=None)[0]
        off = near[:, 2] - plane[0] - near[:, :2] @ plane[1:]
    return plane
