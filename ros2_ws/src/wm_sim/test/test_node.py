"""The simulator as a process of its own, through real DDS: lockstep, real time, services, bad input."""

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Vector3
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import ArmWatch
from wm_msgs.srv import DisturbObject, ResetWorld, SimFault, StepWorld

from wm_core.qos import SENSOR, STATE
from wm_core.services import await_answers
from wm_core.stamps import to_msg, to_ns

pytestmark = pytest.mark.ros
ARM = [f"panda_joint{i}" for i in range(1, 8)]
CAMERAS = ("camera_left", "camera_right")


@pytest.fixture(scope="module")
def ros():
    rclpy.init()
    yield
    rclpy.try_shutdown()


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


@pytest.fixture(scope="module")
def lockstep(ros):
    with simulator("mode:=lockstep", "seed:=3") as robot:
        robot.bring_up()
        yield robot


@pytest.fixture
def fresh(lockstep):
    """The lockstep world just reset; `robot.first` is its first frame."""
    lockstep.frame(0)
    before_ns = lockstep.now_ns
    assert lockstep.ask(ResetWorld, "sim/reset", seed=3).success
    lockstep.first = lockstep.frame(before_ns)
    return lockstep


def image(message: Image) -> np.ndarray:
    kind, channels = {"rgb8": (np.uint8, 3), "16UC1": (np.uint16, 1), "32FC1": (np.float32, 1)}[message.encoding]
    return np.frombuffer(message.data, kind).reshape(message.height, message.width, channels)


def test_a_frame_is_what_a_robots_drivers_publish(fresh):
    for camera in CAMERAS:
        colour = fresh.first[f"{camera}/color/image_raw"]
        depth = fresh.first[f"{camera}/aligned_depth_to_color/image_raw"]
        info = fresh.first[f"{camera}/color/camera_info"]
        assert (colour.encoding, depth.encoding) == ("rgb8", "16UC1")
        assert (colour.step, depth.step, len(colour.data), len(depth.data)) == (384, 256, 49152, 32768)
        assert (
            colour.header.frame_id == depth.header.frame_id == info.header.frame_id == f"{camera}_color_optical_frame"
        )
        assert 400 < np.median(image(depth)) < 1500  # millimetres
        assert info.k[0] == info.k[4] > 0 and info.k[2] == info.p[2] == 63.5
    joints = fresh.first["joint_states"]
    assert joints.name == [*ARM, "panda_finger_joint1", "panda_finger_joint2"]
    assert fresh.first["ground_truth/object_pose"].header.frame_id == "table"


def test_one_trajectory_advances_one_period(fresh):
    start_ns, q = fresh.now_ns, np.array(fresh.first["joint_states"].position[:7])
    target = q + [0.05, 0, 0, 0, 0, 0, 0]
    fresh.move(target, start_ns)
    frame = fresh.frame(start_ns)
    assert fresh.now_ns - start_ns == pytest.approx(100_000_000, abs=1)
    assert frame["joint_states"].position[0] == pytest.approx(target[0], abs=5e-3)
    assert to_ns(fresh.messages["clock"][-1].clock) == fresh.now_ns


def test_an_answer_to_an_older_frame_does_not_advance_time(fresh):
    start_ns, q = fresh.now_ns, fresh.first["joint_states"].position[:7]
    fresh.move(q, start_ns)
    fresh.frame(start_ns)
    second_ns = fresh.now_ns
    fresh.move(q, start_ns, nanosec=200_000_000)
    assert fresh.status()["trajectories_accepted"] != "0"
    assert fresh.now_ns == second_ns


def test_a_trajectory_from_before_a_reset_does_not_reach_the_new_scene(fresh):
    old_ns, q = fresh.now_ns, np.array(fresh.first["joint_states"].position[:7])
    assert fresh.ask(ResetWorld, "sim/reset", seed=4).success
    frame = fresh.frame(old_ns)
    new_ns = to_ns(frame["joint_states"].header.stamp)
    assert new_ns - old_ns == pytest.approx(100_000_000, abs=1)  # no jump that would set off a watchdog
    fresh.move(q + 0.3, old_ns)
    assert "reset" in fresh.status()["last_rejection"]
    fresh.move(q, new_ns)
    assert fresh.frame(new_ns)["joint_states"].position[:7] == pytest.approx(q, abs=2e-3)


def digest(frame: dict[str, object]) -> str:
    total = hashlib.sha256()
    for topic in sorted(frame):
        message = frame[topic]
        if isinstance(message, Image):
            total.update(bytes(message.data))
        elif isinstance(message, JointState):
            total.update(np.array([*message.position, *message.velocity]).tobytes())
    return total.hexdigest()


def play(robot: Robot, first: dict[str, object]) -> list[str]:
    q = np.array(first["joint_states"].position[:7])
    frames = [digest(first)]
    for step in range(1, 7):
        stamp_ns = robot.now_ns
        robot.move(q + step * np.array([0.02, 0.02, 0, 0.02, 0, 0, 0]), stamp_ns)
        frames.append(digest(robot.frame(stamp_ns)))
    return frames


def test_the_same_seed_and_commands_give_the_same_bytes(fresh):
    here = play(fresh, fresh.first)
    with simulator("mode:=lockstep", "seed:=3") as other:
        other.bring_up()
        assert play(other, other.frame(0)) == here
    assert len(set(here)) == len(here)


BAD = [
    {"names": [*ARM[:6], "elbow"]},
    {"positions": [0.0] * 6, "names": ARM[:6]},
    {"positions": [0.0] * 5},
    {"positions": [float("nan")] * 7},
    {"stamp_ns": 1},
]


def test_bad_trajectories_are_counted_and_the_world_stands_still(fresh):
    before, now_ns = int(fresh.status()["trajectories_rejected"]), fresh.now_ns
    for change in BAD:
        fresh.move(**{"positions": [0.0] * 7, **change})
    fresh.until(lambda: int(fresh.status()["trajectories_rejected"]) == before + len(BAD))
    assert "expected" in fresh.status()["last_rejection"]
    assert fresh.now_ns == now_ns


def test_lost_frames_come_again(fresh):
    topic = "camera_left/color/image_raw"
    count, stamp_ns = len(fresh.messages[topic]), fresh.now_ns
    fresh.until(lambda: len(fresh.messages[topic]) > count)
    assert to_ns(fresh.messages[topic][-1].header.stamp) == stamp_ns


def test_services(fresh):
    placed = fresh.ask(ResetWorld, "sim/reset", seed=1, set_object=True, object_xy=[0.5, 0.1])
    assert placed.success and placed.object.position.x == pytest.approx(0.5, abs=2e-3)
    refused = fresh.ask(ResetWorld, "sim/reset", seed=1, set_object=True, object_xy=[7.0, 0.0])
    assert not refused.success and "on the table" in refused.message
    stepped = fresh.ask(StepWorld, "sim/step", periods=2)
    assert stepped.success
    fresh.until(lambda: fresh.now_ns == to_ns(stepped.time))
    assert not fresh.ask(StepWorld, "sim/step", periods=10**9).success
    assert fresh.ask(DisturbObject, "sim/disturb", displacement=Vector3(x=0.05), hidden=True).success
    assert not fresh.ask(DisturbObject, "sim/disturb", impulse=Vector3(x=float("nan"))).success
    before_ns = fresh.now_ns
    assert fresh.ask(StepWorld, "sim/step", periods=1).success
    frame = fresh.frame(before_ns)
    assert frame["ground_truth/object_pose"].pose.position.x == pytest.approx(0.55, abs=3e-3)
    red = image(frame["camera_left/color/image_raw"]).astype(int)
    assert not (red[..., 0] > 2 * red[..., 1]).any()


def test_while_paused_a_trajectory_waits(fresh):
    now_ns = fresh.now_ns
    assert fresh.ask(SetBool, "sim/pause", data=True).success
    fresh.move(fresh.first["joint_states"].position[:7])
    fresh.status()
    assert fresh.now_ns == now_ns
    assert fresh.ask(SetBool, "sim/pause", data=False).success
    fresh.frame(now_ns)


def test_real_time_keeps_pace_and_follows(ros):
    with simulator("depth_encoding:=32FC1") as robot:
        robot.bring_up()
        robot.frame(0)
        first_ns = robot.now_ns
        assert abs(time.time_ns() - first_ns) < 1_000_000_000  # stamps are system time
        q = np.array(robot.messages["joint_states"][-1].position[:7])
        robot.move(q + [0.1, 0, 0, 0, 0, 0, 0], nanosec=500_000_000)
        robot.until(lambda: robot.now_ns > first_ns + 2_000_000_000)
        assert robot.messages["joint_states"][-1].position[0] == pytest.approx(q[0] + 0.1, abs=2e-3)
        stamps = [to_ns(m.header.stamp) for m in robot.messages["joint_states"]]
        assert stamps == sorted(set(stamps))
        images = sorted({to_ns(m.header.stamp) for m in robot.messages["camera_left/color/image_raw"]})
        assert np.median(np.diff(images)) == pytest.approx(100_000_000, abs=2)
        assert not robot.messages["clock"]
        depth = image(robot.messages["camera_left/aligned_depth_to_color/image_raw"][-1])
        assert 0.4 < np.median(depth) < 1.5  # metres
        refused = robot.ask(StepWorld, "sim/step", periods=1)
        assert not refused.success and "pause" in refused.message


def test_what_is_cut_off_is_not_heard_and_comes_back(ros):
    with simulator() as robot:
        watched: list[ArmWatch] = []
        robot.node.create_subscription(ArmWatch, "ground_truth/arm_watch", watched.append, STATE)
        robot.bring_up()
        robot.frame(0)
        for target in ("joints", "colour", "arm"):
            assert robot.ask(SimFault, "sim/fault", target=target, kind="cut", amount=0.0, duration=1.5).success
        robot.until(lambda: robot.arm.get_subscription_count() == 0)
        before_ns = robot.now_ns
        robot.until(lambda: robot.arm.get_subscription_count())
        robot.frame(before_ns + 1_000_000_000)
        for topic in ("joint_states", "camera_left/color/image_raw"):
            assert max(np.diff([to_ns(m.header.stamp) for m in robot.messages[topic]])) > 1_000_000_000
        assert (
            np.median(np.diff([to_ns(m.header.stamp) for m in watched])) < 20_000_000
        )  # the observer goes on, and often


def test_fast_runs_by_itself_and_tells_the_time(ros):
    with simulator("mode:=fast", "world:=tabletop_disk") as robot:
        robot.bring_up()
        robot.frame(0)
        start_ns = robot.now_ns
        robot.until(lambda: robot.now_ns - start_ns > 5_000_000_000)
        assert robot.messages["clock"]


def test_a_configuration_that_cannot_work_leaves_the_node_alive(ros):
    with simulator("world:=atlantis") as robot:
        assert not robot.transition(Transition.TRANSITION_CONFIGURE)
        for parameter, value in {"world": "tabletop_mug", "rig": "no_such_rig", "mode": "fast"}.items():
            wrong = Parameter(parameter, value=value).to_parameter_msg()
            assert robot.ask(SetParameters, "wm_sim/set_parameters", parameters=[wrong]).results[0].successful
        assert not robot.transition(Transition.TRANSITION_CONFIGURE)
        heard = robot.messages["diagnostics"]
        robot.until(lambda: heard and "no_such_rig" in heard[-1].status[0].message)
        right = Parameter("rig", value="one_camera").to_parameter_msg()
        assert robot.ask(SetParameters, "wm_sim/set_parameters", parameters=[right]).results[0].successful
        assert robot.transition(Transition.TRANSITION_CONFIGURE)
