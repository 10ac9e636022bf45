"""The simulator as a process of its own, through real DDS, and what drives its robot."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import numpy as np
import rclpy
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_core.qos import SENSOR, STATE
from wm_core.services import await_answers
from wm_core.stamps import to_msg, to_ns

ARM = [f"panda_joint{i}" for i in range(1, 8)]
CAMERAS = ("camera_left", "camera_right")


class Robot:
    """What drives a robot: hears its sensors, sends trajectories."""

    def __init__(self, *parameters: str) -> None:
        space = f"sim_{uuid4().hex[:8]}"
        self.node = rclpy.create_node("driver", namespace=space)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.messages: dict[str, list] = {}
        self._listen(Clock, "clock", SENSOR)
        self._listen(JointState, "joint_states", STATE)
        self._listen(PoseStamped, "ground_truth/object_pose", STATE)
        self._listen(DiagnosticArray, "diagnostics", STATE)
        for camera in CAMERAS:
            self._listen(CameraInfo, f"{camera}/color/camera_info", SENSOR)
            self._listen(Image, f"{camera}/color/image_raw", SENSOR)
            self._listen(Image, f"{camera}/aligned_depth_to_color/image_raw", SENSOR)
        self.arm = self.node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", STATE)
        arguments = [argument for parameter in parameters for argument in ("-p", parameter)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wm_sim.node", "--ros-args", "-r", f"__ns:=/{space}", *arguments]
        )
        self._change = self.node.create_client(ChangeState, "wm_sim/change_state")
        self._get_acquainted(30)

    def _listen(self, kind: type, topic: str, qos) -> None:
        self.messages[topic] = []
        self.node.create_subscription(kind, topic, self.messages[topic].append, qos)

    def _get_acquainted(self, seconds: float) -> None:
        get_state = self.node.create_client(GetState, "wm_sim/get_state")
        assert await_answers(get_state, self.executor.spin_once, seconds)
        self.node.destroy_client(get_state)

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.05)

    def call(self, client, request):
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def ask(self, kind: type, name: str, /, **fields):
        client = self.node.create_client(kind, name)
        self._get_acquainted(10)
        return self.call(client, kind.Request(**fields))

    def transition(self, number: int) -> bool:
        return self.call(self._change, ChangeState.Request(transition=Transition(id=number))).success

    def bring_up(self) -> None:
        assert self.transition(Transition.TRANSITION_CONFIGURE)
        self.until(lambda: self.arm.get_subscription_count())
        assert self.transition(Transition.TRANSITION_ACTIVATE)

    @property
    def now_ns(self) -> int:
        return to_ns(self.messages["joint_states"][-1].header.stamp)

    def frame(self, after_ns: int) -> dict[str, object]:
        """The first complete set of messages measured after a time."""
        topics = [topic for topic in self.messages if topic not in ("clock", "diagnostics")]
        frames: list[dict[int, object]] = []

        def shared() -> set[int]:
            frames[:] = [{to_ns(m.header.stamp): m for m in self.messages[topic]} for topic in topics]
            return {ns for ns in set.intersection(*map(set, frames)) if ns > after_ns}

        self.until(shared)
        stamp_ns = min(shared())
        return {topic: messages[stamp_ns] for topic, messages in zip(topics, frames, strict=True)}

    def move(self, positions, stamp_ns: int = 0, names=ARM, nanosec: int = 100_000_000) -> None:
        point = JointTrajectoryPoint(positions=list(map(float, positions)), time_from_start=Duration(nanosec=nanosec))
        message = JointTrajectory(joint_names=list(names), points=[point])
        if stamp_ns:
            message.header.stamp = to_msg(stamp_ns)
        self.arm.publish(message)

    def status(self) -> dict[str, str]:
        """Values of the diagnostics after the next: what was sent before has arrived by then."""
        count = len(self.messages["diagnostics"])
        self.until(lambda: len(self.messages["diagnostics"]) >= count + 2)
        return {pair.key: pair.value for pair in self.messages["diagnostics"][-1].status[0].values}


@contextmanager
def simulator(*parameters: str) -> Iterator[Robot]:
    robot = Robot(*parameters)
    try:
        yield robot
        robot.process.send_signal(signal.SIGINT)
        assert robot.process.wait(20) == 0
    finally:
        robot.process.kill()
        robot.executor.shutdown()
        robot.node.destroy_node()


def image(message: Image) -> np.ndarray:
    kind, channels = {"rgb8": (np.uint8, 3), "16UC1": (np.uint16, 1), "32FC1": (np.float32, 1)}[message.encoding]
    return np.frombuffer(message.data, kind).reshape(message.height, message.width, channels)
