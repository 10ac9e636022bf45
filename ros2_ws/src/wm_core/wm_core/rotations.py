"""Rotations as matrices, angles and quaternions; poses (4, 4) of them and positions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def rotation_of(rpy_deg: Sequence[float]) -> np.ndarray:
    """Rotation (3, 3) of roll, pitch, yaw about fixed axes (URDF's convention) [degrees]; exact for quarter turns."""
    (cr, sr), (cp, sp), (cy, sy) = (_cos_sin(float(angle)) for angle in rpy_deg)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def pose_of(rotation: np.ndarray, position: np.ndarray | Sequence[float]) -> np.ndarray:
    """Pose (4, 4) of a rotation (3, 3) and a position (3,)."""
    pose = np.eye(4)
    parts_of(pose)[0][:], parts_of(pose)[1][:] = rotation, position
    return pose


def parts_of(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and position (3,) of a pose (4, 4): views."""
    return pose[:3, :3], pose[:3, 3]


def quaternion_of(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """Quaternion x, y, z, w of a rotation (3, 3), after Shepperd (1978): the largest component is found first."""
    m = rotation
    squares = np.array([1 + 2 * m[0, 0], 1 + 2 * m[1, 1], 1 + 2 * m[2, 2], 1 + 2 * np.trace(m)]) - np.trace(m)
    largest = int(np.argmax(squares))
    products = np.array(
        [
            [squares[0], m[1, 0] + m[0, 1], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], squares[1], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], squares[2], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squares[3]],
        ]
    )
    x, y, z, w = products[largest] / np.linalg.norm(products[largest])
    return float(x), float(y), float(z), float(w)


def rotation_of_quaternion(x: float, y: float, z: float, w: float) -> np.ndarray:
    """Rotation (3, 3) of a quaternion that need not have length 1; NaN where it has none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, z, w = np.array([x, y, z, w], float) / np.linalg.norm([x, y, z, w])
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def _cos_sin(degrees: float) -> tuple[float, float]:
    quarter, rest = divmod(degrees, 90.0)
    if rest == 0.0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarter) % 4]
    return float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))


def rpy_of(rotation: np.ndarray) -> tuple[float, float, float]:
    """Roll, pitch, yaw [rad] of a rotation (3, 3)."""
    pitch = float(np.arcsin(np.clip(-rotation[2, 0], -1, 1)))
    if abs(rotation[2, 0]) > 1 - 1e-9:  # gimbal lock: roll and yaw turn about one axis
        return float(np.arctan2(-rotation[1, 2], rotation[1, 1])), pitch, 0.0
    return float(np.arctan2(rotation[2, 1], rotation[2, 2])), pitch, float(np.arctan2(rotation[1, 0], rotation[0, 0]))


def uprightness(rotation: np.ndarray) -> np.ndarray:
    """Cosines (...,) of the angles between the z axes of unit quaternions (..., 4) x y z w and the vertical."""
    return 1 - 2 * (rotation[..., 0] ** 2 + rotation[..., 1] ** 2)


def angle_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of unit quaternions (..., 4), (...,) [rad]."""
    return 2 * np.arccos(np.clip(np.abs((one * other).sum(-1)), 0, 1))


def wrapped(angle: ArrayLike) -> np.ndarray:
    """The same angles (...,) [rad] between minus and plus half a turn."""
    return np.arctan2(np.sin(angle), np.cos(angle))
