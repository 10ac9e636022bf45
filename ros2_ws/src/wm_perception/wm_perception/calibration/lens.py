"""What calibrating asks of a lens: the pose of a board that is seen through it, and its file."""

from typing import Any

import cv2
import numpy as np

from wm_core.camera_model import Lens, checked_lens
from wm_core.rotations import pose_of

NO_DISTORTION = (0.0,) * 5
PLUMB_BOB = "plumb_bob"


def seen_pose(lens: Lens, points: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
    """Pose (4, 4) in the optical frame of what has points (n, 3) [m] of one plane at pixels (n, 2); None where none fits."""
    plain, straight = np.ascontiguousarray(lens.rays(pixels)[:, :2]), (np.eye(3), None)
    found, turn, shift = cv2.solvePnP(points, plain, *straight, flags=cv2.SOLVEPNP_IPPE)
    if not found:
        return None
    turn, shift = cv2.solvePnPRefineLM(points, plain, *straight, turn, shift)
    pose = pose_of(cv2.Rodrigues(turn)[0], shift.reshape(3))
    return pose if np.isfinite(pose).all() and pose[2, 3] > 0 else None


def fov_y_deg(lens: Lens) -> float:
    """Vertical field of view [degrees] of its images without distortion, as rig files have it."""
    return float(np.degrees(2 * np.arctan(lens.height / (2 * lens.K[1, 1]))))


def camera_info(lens: Lens, name: str) -> dict[str, Any]:
    """What ROS 2's camera_info_manager reads, as camera_calibration writes it."""
    K, D = lens.K, lens.D or NO_DISTORTION
    matrices = {"camera_matrix": K, "rectification_matrix": np.eye(3), "projection_matrix": np.c_[K, np.zeros(3)]}
    return {
        "image_width": lens.width,
        "image_height": lens.height,
        "camera_name": name,
        "distortion_model": lens.model or PLUMB_BOB,
        "distortion_coefficients": {"rows": 1, "cols": len(D), "data": list(D)},
        **{
            key: {"rows": matrix.shape[0], "cols": matrix.shape[1], "data": matrix.reshape(-1).tolist()}
            for key, matrix in matrices.items()
        },
    }


def lens_in(data: dict[str, Any]) -> Lens:
    """The lens of a file as `camera_info` makes it; raises ImageError for a distortion model that is not known."""
    K = np.array(data["camera_matrix"]["data"], float).reshape(3, 3)
    D = data.get("distortion_coefficients", {}).get("data", [])
    return checked_lens(K, data["image_width"], data["image_height"], data.get("distortion_model", PLUMB_BOB), D)
