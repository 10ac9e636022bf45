"""Objects that geometry finds, and the cloud of all that is seen, published now and then: by a thread, so that observations wait
for nothing.
"""

import math
import threading
import time
from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray
from wm_msgs.msg import DetectedObjects

from wm_core.lifecycle import WmNode
from wm_core.qos import STATE
from wm_perception.conversions import cloud_message, detections_message, marker_message
from wm_perception.geometry import Geometry
from wm_perception.pipeline import CameraFrame

TOPICS = ("wm/objects", "wm/object_cloud", "wm/object_markers")
CLOUD = "wm/cloud"


class Detections:
    """`close` waits for the last one."""

    def __init__(self, node: WmNode, geometry: Callable[[], Geometry], period: float) -> None:
        """`geometry`: the one in use; `period` [s] between two detections, 0 turns them off."""
        self._node, self._geometry, self._period = node, geometry, period
        self._objects = node.publisher(DetectedObjects, TOPICS[0], STATE)
        self._clouds = node.publisher(PointCloud2, TOPICS[1], STATE)
        self._markers = node.publisher(MarkerArray, TOPICS[2], STATE)
        self._surroundings = node.publisher(PointCloud2, CLOUD, STATE)
        self._thread: threading.Thread | None = None
        self._began_at = -math.inf

    def look(self, header: Header, frames: dict[str, CameraFrame], q: np.ndarray) -> None:
        """Detect in the frames of one instant, with the arm at joints `q` (n,) [rad], if it is time to and somebody listens. Best
        called right after an observation: that delays the next one least.
        """
        now = time.monotonic()
        running = self._thread is not None and self._thread.is_alive()
        if running or self._period == 0 or now - self._began_at < self._period:
            return
        work: list[Callable[[], None]] = []
        if self._node.count_subscribers(CLOUD):
            work.append(lambda: self._publish_cloud(header, frames))
        if any(self._node.count_subscribers(topic) for topic in TOPICS):
            work.append(lambda: self._publish_objects(header, frames, q))
        if not work:
            return
        self._began_at = now
        self._thread = threading.Thread(target=lambda: [each() for each in work], daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _publish_cloud(self, header: Header, frames: dict[str, CameraFrame]) -> None:
        self._surroundings.publish(cloud_message(header, *self._geometry().surroundings(frames)))

    def _publish_objects(self, header: Header, frames: dict[str, CameraFrame], q: np.ndarray) -> None:
        try:
            found = self._geometry().detect(frames, q)
        except ValueError as error:
            self._node.reject("no_geometry", str(error))
            return
        self._objects.publish(detections_message(header, found))
        self._markers.publish(marker_message(header, found))
        self._clouds.publish(cloud_message(header, found.points, found.colours))
