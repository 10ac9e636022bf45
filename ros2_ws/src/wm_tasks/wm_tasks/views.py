"""What a camera sees now and what is being imagined, from topics."""

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from wm_core.images import ImageError, colour_image
from wm_core.qos import SENSOR, STATE
from wm_core.rig import Camera
from wm_tasks.video import Shot


class Views:
    """Keeps the newest pictures of one camera and of the imagination."""

    def __init__(self, node: Node, camera: Camera) -> None:
        """`camera`: its name, and how it sees the table (a rig in the table's frame)."""
        self._camera = camera
        self._camera_image: Image | None = None
        self._imagined: Image | None = None
        node.create_subscription(Image, f"{camera.name}/color/image_raw", self._on_camera_image, SENSOR)
        node.create_subscription(Image, "wm/imagined_image", self._on_imagined, STATE)

    def shot(self, text: str, goal: np.ndarray | None = None) -> Shot | None:
        """Both beside each other above a line of text; None without a picture of the camera's, or one that cannot be read: perception
        says what is wrong with it. `goal` (2,) [m] is marked.
        """
        seen, imagined = _array(self._camera_image), _array(self._imagined)
        return (
            None if seen is None else Shot(seen, imagined, text, None if goal is None else seen_at(self._camera, goal))
        )

    def _on_camera_image(self, message: Image) -> None:
        self._camera_image = message

    def _on_imagined(self, message: Image) -> None:
        self._imagined = message


def seen_at(camera: Camera, place: np.ndarray) -> tuple[float, float] | None:
    """Where a camera sees a place (2,) [m] on the table: shares of its picture's width and height; None: it does not."""
    x, y, depth = camera.K @ (np.linalg.inv(camera.T_table_optical) @ [*place, 0.0, 1.0])[:3]
    u, v = x / depth / camera.width, y / depth / camera.height
    return (float(u), float(v)) if depth > 0 and 0 <= u < 1 and 0 <= v < 1 else None


def _array(message: Image | None) -> np.ndarray | None:
    try:
        return None if message is None else colour_image(message).copy()
    except ImageError:
        return None
