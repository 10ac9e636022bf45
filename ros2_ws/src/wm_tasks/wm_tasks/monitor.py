"""What wm_episodes measures while a goal is pursued, from topics that anyone can hear: latency, path, pictures."""

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from wm_msgs.msg import Belief, Command, Observation, Plan

from wm_bags.storage.cdr import stamp_of
from wm_core.conversions import object_xy
from wm_core.qos import SENSOR, STATE
from wm_core.rig import Camera
from wm_core.stamps import to_ns
from wm_tasks.cycle import Cycles
from wm_tasks.latest_picture import LatestPicture
from wm_tasks.report import Run
from wm_tasks.video import MOST_FRAMES, RATE, Shot
from wm_tasks.views import Views

FRAMES_KEPT = 50  # send times of camera frames


class Monitor:
    """Fills `run` while `pursuing`; keeps the newest belief and ground truth always."""

    def __init__(self, node: Node, run: Run, camera: Camera, film: bool, latest: LatestPicture | None) -> None:
        """`camera`: whose frames begin a cycle; `film`: keep shots for a video; `latest`: show them there too."""
        self._run = run
        self.pursuing = False
        self.caption = ""
        self.goal: np.ndarray | None = None  # (2,) [m]
        self.belief: Belief | None = None
        self.beliefs = 0
        self.recent: list[tuple[float, float]] = []  # the last three believed places [m]
        self.path: list[list[float]] = []  # believed places of this episode [m]
        self.truth: np.ndarray | None = None  # (2,) [m]
        self.shots: list[Shot] = []
        self._sent: dict[int, int] = {}
        self._cycles = Cycles()
        run.stages_ms = self._cycles.stages
        self._film, self._latest = film, latest
        self._views = Views(node, camera) if film or latest else None
        self._shot_ns = 0
        # Not deserialised: an embedding is long, and its stamp is all that is asked for.
        node.create_subscription(Observation, "wm/observation", self._on_observation, STATE, raw=True)  # type: ignore[arg-type]
        node.create_subscription(Belief, "wm/belief", self._on_belief, STATE)  # type: ignore[arg-type]
        node.create_subscription(Command, "wm/command", self._on_command, STATE)  # type: ignore[arg-type]
        node.create_subscription(Command, "wm/executed", self._on_executed, STATE)  # type: ignore[arg-type]
        node.create_subscription(Plan, "wm/plan", self._on_plan, STATE)
        node.create_subscription(PoseStamped, "ground_truth/object_pose", self._on_truth, STATE)
        node.create_subscription(CameraInfo, f"{camera.name}/color/camera_info", self._on_frame, SENSOR)  # type: ignore[arg-type]

    def begin(self, caption: str, goal: np.ndarray) -> None:
        """A goal (2,) [m] is pursued from now on."""
        self.caption, self.goal, self.path, self.pursuing = caption, goal, [], True

    def end(self) -> None:
        self.pursuing = False

    # rclpy gives the message's send time to callbacks of two arguments; its type hints do not know.
    def _on_frame(self, message: CameraInfo, info: dict[str, Any]) -> None:
        self._sent[to_ns(message.header.stamp)] = info["source_timestamp"]
        self._cycles.sent("frame", to_ns(message.header.stamp), info["source_timestamp"])
        while len(self._sent) > FRAMES_KEPT:
            del self._sent[next(iter(self._sent))]

    def _on_command(self, message: Command, info: dict[str, Any]) -> None:
        """Latency from the camera's stamp (in lockstep: from when the frame was sent) to when the command was sent."""
        if not self.pursuing or message.status != Command.ACTIVE:
            return
        self._run.cycles += 1
        stamp_ns = to_ns(message.header.stamp)
        self._cycles.sent("command", stamp_ns, info["source_timestamp"])
        start_ns = self._sent.get(stamp_ns) if self._run.lockstep else stamp_ns
        if start_ns is not None:
            self._run.latency_ms["camera_to_command"].append((info["source_timestamp"] - start_ns) / 1e6)

    def _on_observation(self, data: bytes, info: dict[str, Any]) -> None:
        self._cycles.sent("observation", stamp_of(data), info["source_timestamp"])

    def _on_executed(self, message: Command, info: dict[str, Any]) -> None:
        self._cycles.sent("executed", to_ns(message.header.stamp), info["source_timestamp"])

    def _on_belief(self, message: Belief, info: dict[str, Any]) -> None:
        if not message.objects:
            return
        stamp_ns = to_ns(message.header.stamp)
        self._cycles.sent("belief", stamp_ns, info["source_timestamp"])
        self._cycles.computed("encode", stamp_ns, message.encode_ms)
        self._cycles.computed("filter", stamp_ns, message.filter_ms)
        self.belief = message
        self.beliefs += 1
        x, y = map(float, object_xy(message.objects))
        place = (x, y)
        self.recent = [*self.recent[-2:], place]
        if self.pursuing:
            self.path.append([round(place[0], 4), round(place[1], 4)])
            self._run.latency_ms["encode"].append(message.encode_ms)
            self._run.latency_ms["filter"].append(message.filter_ms)
            self._shoot(message)

    def _on_plan(self, message: Plan) -> None:
        if self.pursuing:
            self._run.latency_ms["plan"].append(message.plan_ms)
            self._cycles.computed("plan", to_ns(message.header.stamp), message.plan_ms)
            self._run.deadline_misses += message.deadline_missed

    def _on_truth(self, message: PoseStamped) -> None:
        self.truth = np.array([message.pose.position.x, message.pose.position.y])

    def _shoot(self, belief: Belief) -> None:
        if self._views is None:
            return
        stamp_ns = to_ns(belief.header.stamp)
        due = abs(stamp_ns - self._shot_ns) >= 0.95e9 / RATE
        filmed = self._film and due and len(self.shots) < MOST_FRAMES
        shown = self._latest is not None and self._latest.wants
        shot = self._views.shot(self.caption, self.goal) if filmed or shown else None
        if shot is None:
            return
        if filmed:
            self._shot_ns = stamp_ns
            self.shots.append(shot)
        if shown and self._latest is not None:
            self._latest.show(shot)
