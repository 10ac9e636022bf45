"""What a camera sees now and what is being imagined, from topics."""

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from wm_core.qos import SENSOR, STATE
from wm_tasks.video import Shot


class Views:
    """Keeps the newest pictures of one camera and of the imagination."""

    def __init__(self, node: Node, camera: str) -> None:
        self._camera_image: Image | None = None
        self._imagined: Image | None = None
        node.create_subscription(Image, f"{camera}/color/image_raw", self._on_camera_image, SENSOR)
        node.create_subscription(Image, "wm/imagined_image", self._on_imagined, STATE)

    def shot(self, text: str) -> Shot | None:
        """Both beside each other above a line of text; None before the camera's first picture."""
        if self._camera_image is None:
            return None
        imagined = None if self._imagined is None else _array(self._imagined)
        return Shot(_array(self._camera_image), imagined, text)

    def _on_camera_image(self, message: Image) -> None:
        self._camera_image = message

    def _on_imagined(self, message: Image) -> None:
        self._imagined = message


def _array(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3).copy()
