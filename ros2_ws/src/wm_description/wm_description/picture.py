"""A picture of a robot at the table: the arm at home, the table, and the reach drawn as a frame."""

from itertools import product
from pathlib import Path

import cv2
import numpy as np

from wm_core.kinematics import Kinematics
from wm_description.bullet import load_arm
from wm_description.physics import BulletClient, connect, disconnect, pybullet

SIZE = (640, 480)  # [px]
FOV_DEG = 40
TABLE = [0.62, 0.58, 0.52, 1.0]
REACH = [0.1, 0.45, 0.85, 1.0]
BAR = 0.004  # [m] half thickness of the frame's bars


def picture(kinematics: Kinematics, q: np.ndarray) -> np.ndarray:
    """The robot at joint angles `q` (n,) [rad] from both sides and above, (H, W, 3) uint8 RGB."""
    client = connect(window=False)
    try:
        _load(client, kinematics, q)
        low, high = kinematics.robot.reach.lower[:3], kinematics.robot.reach.upper[:3]
        _box(client, [*(0.9 * (high - low)[:2]), 0.02], [*((low + high) / 2)[:2], -0.02], TABLE)
        _frame(client, low, high)
        views = [_view(client, (low + high) / 2, yaw, pitch) for yaw, pitch in ((55, -20), (125, -20), (90, -75))]
    finally:
        disconnect(client)
    return np.concatenate(views, 1)


def save_picture(kinematics: Kinematics, q: np.ndarray, file: Path) -> None:
    """Write `picture` as a PNG; raises OSError."""
    image = cv2.imencode(".png", cv2.cvtColor(picture(kinematics, q), cv2.COLOR_RGB2BGR))[1]
    file.write_bytes(image.tobytes())  # OpenCV's own writing says nothing of a full disk


def _load(client: BulletClient, kinematics: Kinematics, q: np.ndarray) -> None:
    arm, joints = load_arm(client, kinematics)
    for name, angle in zip(kinematics.joint_names, q, strict=True):
        client.resetJointState(arm, joints[name], float(angle))


def _frame(client: BulletClient, low: np.ndarray, high: np.ndarray) -> None:
    """The twelve edges of a box as bars."""
    corners, size = np.array([low, high]), high - low
    for axis in range(3):
        a, b = (other for other in range(3) if other != axis)
        for i, j in product((0, 1), repeat=2):
            middle, half = (low + high) / 2, np.full(3, BAR)
            middle[a], middle[b], half[axis] = corners[i][a], corners[j][b], max(size[axis] / 2, BAR)
            _box(client, half.tolist(), middle.tolist(), REACH)


def _box(client: BulletClient, half: list[float], place: list[float], colour: list[float]) -> None:
    shape = client.createVisualShape(pybullet.GEOM_BOX, halfExtents=half, rgbaColor=colour)
    client.createMultiBody(baseVisualShapeIndex=shape, basePosition=place)


def _view(client: BulletClient, target: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    width, height = SIZE
    view = client.computeViewMatrixFromYawPitchRoll([target[0] - 0.15, target[1], 0.25], 2.0, yaw, pitch, 0, 2)
    projection = client.computeProjectionMatrixFOV(FOV_DEG, width / height, 0.1, 5.0)
    image = client.getCameraImage(width, height, view, projection, renderer=pybullet.ER_TINY_RENDERER, shadow=0)
    return np.reshape(image[2], (height, width, 4))[:, :, :3].astype(np.uint8)
