"""A camera's lens: intrinsics and distortion, and where points appear in its images."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from wm_core.rotations import pose_of

NO_DISTORTION = (0.0,) * 5


@dataclass(frozen=True)
class Lens:
    """A pinhole with distortion; optical frame: z forward, x right, y down; pixel centres at integers.

    `K` (3, 3) [px]; `D` (4, 5, 8, 12 or 14,): OpenCV's coefficients, camera_info's `plumb_bob` and `rational_polynomial`.
    """

    K: np.ndarray
    D: np.ndarray
    width: int
    height: int

    @staticmethod
    def of_info(info: Any) -> "Lens":
        """As a camera_info says, calibrated or not."""
        D = np.array(info.d if len(info.d) else NO_DISTORTION, float)
        return Lens(np.asarray(info.k, float).reshape(3, 3), D, info.width, info.height)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (n, 2) of points (n, 3) [m] in the optical frame."""
        still = np.zeros(3)
        return cv2.projectPoints(np.ascontiguousarray(points), still, still, self.K, self.D)[0].reshape(-1, 2)

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Directions (n, 3), z = 1, of pixels (n, 2), in the optical frame."""
        plain = cv2.undistortPoints(np.ascontiguousarray(pixels, float).reshape(-1, 1, 2), self.K, self.D)
        return np.c_[plain.reshape(-1, 2), np.ones(len(pixels))]

    def pose(self, points: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
        """Pose (4, 4) in the optical frame of what has points (n, 3) [m] of one plane at pixels (n, 2); None where none fits."""
        found, turn, shift = cv2.solvePnP(points, pixels, self.K, self.D, flags=cv2.SOLVEPNP_IPPE)
        if not found:
            return None
        turn, shift = cv2.solvePnPRefineLM(points, pixels, self.K, self.D, turn, shift)
        pose = pose_of(cv2.Rodrigues(turn)[0], shift.reshape(3))
        return pose if np.isfinite(pose).all() and pose[2, 3] > 0 else None

    @property
    def fov_y_deg(self) -> float:
        """Vertical field of view [degrees], as rig files have it."""
        return float(np.degrees(2 * np.arctan(self.height / (2 * self.K[1, 1]))))

    def camera_info(self, name: str) -> dict[str, Any]:
        """What ROS 2's camera_info_manager reads, as camera_calibration writes it."""
        K, D = self.K, np.asarray(self.D).reshape(-1)
        P = np.c_[K, np.zeros(3)]
        matrices = {"camera_matrix": K, "rectification_matrix": np.eye(3), "projection_matrix": P}
        return {
            "image_width": self.width,
            "image_height": self.height,
            "camera_name": name,
            "distortion_model": "plumb_bob" if len(D) <= len(NO_DISTORTION) else "rational_polynomial",
            "distortion_coefficients": {"rows": 1, "cols": len(D), "data": D.tolist()},
            **{
                key: {"rows": matrix.shape[0], "cols": matrix.shape[1], "data": matrix.reshape(-1).tolist()}
                for key, matrix in matrices.items()
            },
        }
