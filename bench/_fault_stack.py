"""A running stack to be broken, and an observer of the arm beside it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rclpy
from _arm_watch import AT_REST, MOVING, commanded, rest_after
from _memory import memory
from _spoilt import spoilt
from rclpy.exceptions import InvalidHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from wm_msgs.msg import ArmWatch, Command, Episode, Heartbeat, RecorderStatus
from wm_msgs.srv import DisturbObject, SimFault

from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.atomic import die_with_parent
from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.stamps import to_msg

RESTARTED_S = 30.0  # until a node has another process
EVERY = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)  # however late this process gets its turn
CLIENTS = {"sim/fault": SimFault, "sim/disturb": DisturbObject, "wm/e_stop": Trigger, "wm/e_stop_reset": Trigger}


class FaultStack:
    """`./wm launch` in real time with a recording, and what is heard of it. Use in a `with` block."""

    def __init__(self, folder: Path, words: Sequence[str] = (), bags: Path | None = None) -> None:
        """`words`: arguments of the launch file; `bags`: where the recordings are, if not in `folder`."""
        self.folder, self.bags, self._words = folder, bags or folder, words
        self.registry = folder / "registry"  # of bundles, where the launch follows one
        self._lock = threading.Lock()
        self._pids: dict[str, int] = {}
        self.hung: set[int] = set()  # processes that are to stay stopped, whatever else is done to them
        self.watch: deque[tuple[float, ArmWatch]] = deque(maxlen=60 * 200)  # arrival [s], what was seen
        self.heard = 0  # joint states
        self.episodes: list[tuple[float, Episode]] = []
        self.bringup: list[tuple[float, str]] = []
        self.recorder: RecorderStatus | None = None

    def __enter__(self) -> "FaultStack":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = open(self.folder / "launch.log", "a")  # noqa: SIM115  closed at the end
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", "headless:=true", *self._words],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "WM_REGISTRY": str(self.registry.absolute())},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self._began = time.monotonic()
        rclpy.init()
        self._node = rclpy.create_node("fault_bench")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._node.create_subscription(ArmWatch, "ground_truth/arm_watch", self._on_watch, EVERY)
        self._node.create_subscription(Heartbeat, "wm/heartbeat", self._on_heartbeat, SENSOR)
        self._node.create_subscription(Episode, "wm/episode", self._on_episode, STATE)
        self._node.create_subscription(String, "wm/bringup", self._on_bringup, LATCHED)
        self._node.create_subscription(RecorderStatus, "wm/recorder_status", self._on_recorder, STATE)
        self._node.create_subscription(Command, "wm/command", self._on_command, STATE)
        self._last_command: Command | None = None
        self._names: list[str] = []
        self._node.create_subscription(JointState, "joint_states", self._on_joints, EVERY)
        self._clients = {name: self._node.create_client(kind, name) for name, kind in CLIENTS.items()}
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._executor.shutdown()
        self._thread.join(5)
        self._node.destroy_node()
        rclpy.try_shutdown()
        self._log.close()

    def _spin(self) -> None:
        """Until the end; a fault's publisher that is destroyed meanwhile is no end."""
        while self._executor.context.ok():
            try:
                self._executor.spin()
                return
            except InvalidHandle:
                continue

    def recorded(self) -> dict[str, Any]:
        """Of a run that has ended: whether its bags can be read as they are, how many joint states are in them, and how many were heard
        beside.
        """
        kept, refused = 0, []
        for folder in sorted(self.bags.glob("bag*")):
            try:
                with Bag(folder) as bag:
                    kept += sum(topic.messages for name, topic in bag.topics.items() if name == "/joint_states")
            except BagError as error:
                refused.append(str(error))
        last = self.recorder
        return {
            "kept": kept,
            "heard": self.heard,
            "bags": len(list(self.bags.glob("bag*"))),
            "refused": refused,
            "dropped": last.dropped if last else None,
            "lost": last.lost if last else None,
        }

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    # -- what is heard -------------------------------------------------------------------------------------------

    def _on_watch(self, message: ArmWatch) -> None:
        with self._lock:
            self.watch.append((time.monotonic(), message))

    def _on_heartbeat(self, message: Heartbeat) -> None:
        self._pids[message.node] = message.pid

    def _on_episode(self, message: Episode) -> None:
        self.episodes.append((time.monotonic(), message))

    def _on_bringup(self, message: String) -> None:
        self.bringup.append((time.monotonic(), message.data))

    def _on_recorder(self, message: RecorderStatus) -> None:
        self.recorder = message

    def _on_command(self, message: Command) -> None:
        if len(message.trajectory.points):
            self._last_command = message

    def _on_joints(self, message: JointState) -> None:
        self.heard += 1
        self._names = list(message.name)

    def seen(self, since: float, until: float = np.inf) -> list[tuple[float, ArmWatch]]:
        with self._lock:
            return [(at, each) for at, each in self.watch if since <= at <= until]

    def pid(self, node: str) -> int:
        """Of the node's process; one that is being restarted is waited for."""
        deadline = time.monotonic() + RESTARTED_S
        while not psutil.pid_exists(self._pids[node]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self._pids[node]

    @property
    def pids(self) -> dict[str, int]:
        """Processes by their nodes, as far as these have been heard of."""
        return dict(self._pids)

    @property
    def launched_s(self) -> float:
        """[s] since the launch."""
        return time.monotonic() - self._began

    def memory(self) -> dict[str, dict[str, Any]]:
        """What each node has for itself; see _memory.memory."""
        return memory(self._pids, time.time())

    def listen(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile = EVERY) -> None:
        """Hear of another topic from now on, in a thread of its own."""
        self._node.create_subscription(kind, topic, callback, qos)

    def wait_until_moving(self, seconds: float) -> float | None:
        """How long it took until the arm was at work: commanded to move for the greater part of half a second; None: not in that time."""
        begin = time.monotonic()
        while (now := time.monotonic()) - begin < seconds and self.running:
            newest = [each.commanded_speed > MOVING for _, each in self.seen(max(begin, now - 0.5))]
            if len(newest) > 10 and sum(newest) > 0.6 * len(newest):
                return now - begin
            time.sleep(0.02)
        return None

    def rest_after(
        self, since: float, until: float, speed: Callable[[Any], float] = commanded, still: float = AT_REST
    ) -> float | None:
        """[s] from `since` until the arm was at rest, by what its controller was sent; None: it was not `until` then."""
        return rest_after(self.seen(since, until), since, speed, still)

    # -- what is done to it --------------------------------------------------------------------------------------

    def call(self, service: str, request: Any = None, seconds: float = 5.0) -> Any:
        """The answer of one of CLIENTS, or None."""
        client = self._clients[service]
        if not client.wait_for_service(seconds):
            return None
        future = client.call_async(request or CLIENTS[service].Request())
        deadline = time.monotonic() + seconds
        while not future.done() and time.monotonic() < deadline:
            time.sleep(0.005)
        return future.result() if future.done() else None

    def sim_fault(self, target: str, kind: str, amount: float, seconds: float) -> None:
        request = SimFault.Request(target=target, kind=kind, amount=float(amount), duration=float(seconds))
        answer = self.call("sim/fault", request)
        if answer is None or not answer.success:
            raise RuntimeError(f"expected the simulator to begin '{target} {kind}', got {answer}")

    def disturb(self, displacement: Sequence[float]) -> None:
        request = DisturbObject.Request()
        request.displacement.x, request.displacement.y, request.displacement.z = map(float, displacement)
        self.call("sim/disturb", request)

    def publish_joint_states(self, positions: Callable[[list[str]], list[float]], rate: float) -> Callable[[], None]:
        publisher = self._node.create_publisher(JointState, "joint_states", STATE)

        def publish() -> None:
            message = JointState(name=self._names, position=positions(self._names))
            message.header.stamp = to_msg(time.time_ns())
            publisher.publish(message)

        timer = self._node.create_timer(1 / rate, publish)
        return lambda: self._end(timer, publisher)

    def publish_commands(self, kind: str) -> Callable[[], None]:
        """Commands like the planner's last, spoilt: nan, huge, stale, contradictory (there and back), or a flood of them."""
        publisher, index = self._node.create_publisher(Command, "wm/command", STATE), 0

        def publish() -> None:
            nonlocal index
            index += 1
            if (message := self._last_command) is not None:
                publisher.publish(spoilt(message, kind, index, time.time_ns()))

        timer = self._node.create_timer(0.001 if kind == "flood" else 0.02, publish)
        return lambda: self._end(timer, publisher)

    def _end(self, timer: Any, publisher: Any) -> None:
        self._node.destroy_timer(timer)
        self._node.destroy_publisher(publisher)
