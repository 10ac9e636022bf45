"""wm_recorder: writes a run into a rosbag2 folder (MCAP) that rosbag2, Foxglove and wm_learning read.

Messages are taken as they come, without deserialising them, and written by a thread of its own.
"""

import queue
import signal
import threading
import time
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosbags.rosbag2 import StoragePlugin, Writer
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory
from wm_msgs.msg import Belief, Command, Episode, Observation, Plan, PredictionError

from wm_core.bags import typestore
from wm_core.lifecycle import ignore_stop_signals
from wm_core.paths import rig_path
from wm_core.qos import SENSOR, STATE
from wm_core.rig import CameraRig

TOPICS: dict[str, type] = {
    "joint_states": JointState,
    "ground_truth/object_pose": PoseStamped,
    "arm_controller/joint_trajectory": JointTrajectory,
    "wm/episode": Episode,
    "wm/observation": Observation,
    "wm/belief": Belief,
    "wm/plan": Plan,
    "wm/command": Command,
    "wm/executed": Command,
    "wm/prediction_error": PredictionError,
    "diagnostics": DiagnosticArray,
}
CAMERA_TOPICS: dict[str, type] = {
    "color/image_raw": Image,
    "color/camera_info": CameraInfo,
    "aligned_depth_to_color/image_raw": Image,
}
WAITING = 2000  # messages kept for the writer at most; more are dropped and counted


class Recorder(Node):
    """Parameters: `folder`, which must not exist yet, and `rig`, whose cameras are recorded."""

    def __init__(self) -> None:
        super().__init__("wm_recorder")
        self.declare_parameter("folder", "")
        self.declare_parameter("rig", "two_cameras")
        self._folder = Path(self.get_parameter("folder").value)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._writer = Writer(self._folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._waiting: queue.Queue[tuple | None] = queue.Queue(WAITING)
        self._written = self._dropped = 0
        store = typestore()
        for topic, kind in self._topics().items():
            package = kind.__module__.partition(".")[0]
            connection = self._writer.add_connection(
                self.resolve_topic_name(topic), f"{package}/msg/{kind.__name__}", typestore=store
            )
            self._listen(kind, topic, SENSOR if kind in (Image, CameraInfo) else STATE, connection)
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _topics(self) -> dict[str, type]:
        rig = CameraRig.load(rig_path(self.get_parameter("rig").value))
        cameras = {f"{camera.name}/{topic}": kind for camera in rig.cameras for topic, kind in CAMERA_TOPICS.items()}
        return {**cameras, **TOPICS}

    def _listen(self, kind: type, topic: str, qos: QoSProfile, connection: object) -> None:
        def take(data: bytes) -> None:
            try:
                self._waiting.put_nowait((connection, time.time_ns(), data))
            except queue.Full:
                self._dropped += 1

        self.create_subscription(kind, topic, take, qos, raw=True)

    def _write(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._writer.write(*item)
            self._written += 1

    def close(self) -> None:
        """Write what is waiting, and finish the bag."""
        self._waiting.put(None)
        self._thread.join()
        self._writer.close()
        self.get_logger().info(f"{self._written} messages in {self._folder}, {self._dropped} dropped")


def main() -> int:
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        recorder = Recorder()
    except Exception as error:  # whatever the file system or the bag library says: the run must not go on unrecorded
        print(f"wm_recorder: cannot record: {error}", flush=True)
        return 1
    try:
        while not stopping.is_set():
            rclpy.spin_once(recorder, timeout_sec=0.2)
    finally:
        ignore_stop_signals()
        recorder.close()
        recorder.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
