"""What wm_episodes measures while a goal is pursued, from topics that anyone can hear: latency, path, pictures."""

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from wm_msgs.msg import Belief, Command, Plan

from wm_core.qos import SENSOR, STATE
from wm_core.stamps import to_ns
from wm_tasks.report import Run
from wm_tasks.video import MOST_FRAMES, RATE, Shot

FRAMES_KEPT = 50  # send times of camera frames


class Monitor:
    """Fills `run` while `pursuing`; keeps the newest belief and ground truth always."""

    def __init__(self, node: Node, run: Run, camera: str, pictures: bool) -> None:
        """`camera`: whose frames begin a cycle; `pictures`: keep them beside the imagined ones, for a video."""
        self._run = run
        self.pursuing = False
        self.caption = ""
        self.belief: Belief | None = None
        self.beliefs = 0
        self.recent: list[tuple[float, float]] = []  # the last three believed places [m]
        self.path: list[list[float]] = []  # believed places of this episode [m]
        self.truth: np.ndarray | None = None  # (2,) [m]
        self.shots: list[Shot] = []
        self._sent: dict[int, int] = {}
        self._camera_image: Image | None = None
        self._imagined: Image | None = None
        self._shot_ns = 0
        node.create_subscription(Belief, "wm/belief", self._on_belief, STATE)
        node.create_subscription(Command, "wm/command", self._on_command, STATE)  # type: ignore[arg-type]
        node.create_subscription(Plan, "wm/plan", self._on_plan, STATE)
        node.create_subscription(PoseStamped, "ground_truth/object_pose", self._on_truth, STATE)
        node.create_subscription(CameraInfo, f"{camera}/color/camera_info", self._on_frame, SENSOR)  # type: ignore[arg-type]
        if pictures:
            node.create_subscription(Image, f"{camera}/color/image_raw", self._on_camera_image, SENSOR)
            node.create_subscription(Image, "wm/imagined_image", self._on_imagined, STATE)

    def begin(self, caption: str) -> None:
        """A goal is pursued from now on."""
        self.caption, self.path, self.pursuing = caption, [], True

    def end(self) -> None:
        self.pursuing = False

    # rclpy gives the message's send time to callbacks of two arguments; its type hints do not know.
    def _on_frame(self, message: CameraInfo, info: dict[str, Any]) -> None:
        self._sent[to_ns(message.header.stamp)] = info["source_timestamp"]
        while len(self._sent) > FRAMES_KEPT:
            del self._sent[next(iter(self._sent))]

    def _on_command(self, message: Command, info: dict[str, Any]) -> None:
        """Latency from the camera's stamp (in lockstep: from when the frame was sent) to when the command was sent."""
        if not self.pursuing or message.status != Command.ACTIVE:
            return
        self._run.cycles += 1
        stamp_ns = to_ns(message.header.stamp)
        start_ns = self._sent.get(stamp_ns) if self._run.lockstep else stamp_ns
        if start_ns is not None:
            self._run.latency_ms["camera_to_command"].append((info["source_timestamp"] - start_ns) / 1e6)

    def _on_belief(self, message: Belief) -> None:
        self.belief = message
        self.beliefs += 1
        place = (message.object.x, message.object.y)
        self.recent = [*self.recent[-2:], place]
        if self.pursuing:
            self.path.append([round(place[0], 4), round(place[1], 4)])
            self._run.latency_ms["encode"].append(message.encode_ms)
            self._run.latency_ms["filter"].append(message.filter_ms)
            self._shoot(message)

    def _on_plan(self, message: Plan) -> None:
        if self.pursuing:
            self._run.latency_ms["plan"].append(message.plan_ms)
            self._run.deadline_misses += message.deadline_missed

    def _on_truth(self, message: PoseStamped) -> None:
        self.truth = np.array([message.pose.position.x, message.pose.position.y])

    def _on_camera_image(self, message: Image) -> None:
        self._camera_image = message

    def _on_imagined(self, message: Image) -> None:
        self._imagined = message

    def _shoot(self, belief: Belief) -> None:
        stamp_ns = to_ns(belief.header.stamp)
        due = abs(stamp_ns - self._shot_ns) >= 0.95e9 / RATE
        if self._camera_image is None or len(self.shots) >= MOST_FRAMES or not due:
            return
        self._shot_ns = stamp_ns
        imagined = None if self._imagined is None else _array(self._imagined)
        self.shots.append(Shot(_array(self._camera_image), imagined, self.caption))


def _array(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3).copy()
