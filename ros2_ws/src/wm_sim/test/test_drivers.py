"""The simulator behind the topics of real drivers, in a process of its own: one behaviour a test, through real DDS."""

import os
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
from control_msgs.msg import JointTrajectoryControllerState
from lifecycle_msgs.srv import GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.srv import SimFault

from wm_core.qos import SENSOR, STATE
from wm_core.services import await_answers
from wm_core.stamps import to_msg, to_ns
from wm_sim.camera_profile import load_camera_profile

pytestmark = pytest.mark.ros
S = 1_000_000_000


class Rig:
    """What is beside a robot: hears its drivers, notes when each message arrived, commands its arm."""

    def __init__(self, space: str, controller: str) -> None:
        self.node = rclpy.create_node("beside", namespace=space)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.heard: dict[str, list] = {}
        self.arrived: dict[str, list[int]] = {}
        self.arm = self.node.create_publisher(JointTrajectory, controller, STATE)

    def listen(self, kind: type, topic: str) -> None:
        heard, arrived = self.heard.setdefault(topic, []), self.arrived.setdefault(topic, [])

        def on_message(message) -> None:
            heard.append(message)
            arrived.append(time.time_ns())

        self.node.create_subscription(kind, topic, on_message, SENSOR)

    def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.05)

    def during(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.01)

    def ask(self, kind: type, name: str, /, **fields):
        client = self.node.create_client(kind, name)
        get_state = self.node.create_client(GetState, "wm_sim/get_state")
        assert await_answers(get_state, self.executor.spin_once, 20)
        self.node.destroy_client(get_state)
        future = client.call_async(kind.Request(**fields))
        self.until(future.done)
        return future.result()

    def arm_states(self) -> list[JointState]:
        return [m for m in self.heard["joint_states"] if len(m.name) == 6]

    def joints(self) -> np.ndarray:
        return np.array(self.arm_states()[-1].position)

    def move(self, turn: float, seconds: float = 0.5, stamp_ns: int = 0) -> np.ndarray:
        """Turn the first joint by so much, from where it is; returns where to."""
        there = self.joints() + [turn, 0, 0, 0, 0, 0]
        duration = Duration(sec=int(seconds), nanosec=int(seconds % 1 * 1e9))
        point = JointTrajectoryPoint(positions=there.tolist(), time_from_start=duration)
        message = JointTrajectory(joint_names=list(self.arm_states()[-1].name), points=[point])
        if stamp_ns:
            message.header.stamp = to_msg(stamp_ns)
        self.arm.publish(message)
        return there


@contextmanager
def stand_in(*parameters: str, camera: str = "realsense") -> Iterator[Rig]:
    """A UR5e with one camera that brings itself up."""
    space = f"stand_in_{uuid4().hex[:8]}"
    rig = Rig(space, "arm_controller/joint_trajectory")
    profile = load_camera_profile(camera).of("camera_left")
    rig.colour, rig.depth, rig.info = profile.colour.topic, profile.depth.topic, profile.info_topic
    for kind, topic in ((JointState, "joint_states"), (Image, rig.colour), (Image, rig.depth), (CameraInfo, rig.info)):
        rig.listen(kind, topic)
    rig.listen(JointTrajectoryControllerState, "arm_controller/controller_state")
    given = ("robot:=ur5e", "autostart:=true", "rig:=one_camera", f"camera:={camera}", *parameters)
    arguments = [argument for parameter in given for argument in ("-p", parameter)]
    process = subprocess.Popen(
        [sys.executable, "-m", "wm_sim.node", "--ros-args", "-r", f"__ns:=/{space}", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        rig.until(lambda: len(rig.heard[rig.depth]) > 3 and rig.heard["joint_states"], 60)
        yield rig
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        rig.executor.shutdown()
        rig.node.destroy_node()


@pytest.fixture(scope="module")
def ur5e(ros):
    parameters = ["joint_state_rate:=500.0", "joint_state_reliability:=best_effort", "camera_rate:=15.0"]
    parameters.append("controller_state_rate:=60.0")
    with stand_in(*parameters, "gripper_rate:=50.0", "gripper_joints:=[finger]", "gripper_clock_offset:=-3.0") as rig:
        yield rig


def stamps(messages) -> np.ndarray:
    return np.array([to_ns(message.header.stamp) for message in messages])


def test_images_are_those_of_the_cameras_driver(ur5e):
    colour, depth, info = (ur5e.heard[topic][-1] for topic in (ur5e.colour, ur5e.depth, ur5e.info))
    assert ur5e.colour == "camera_left/camera_left/color/image_raw"
    assert (colour.width, colour.height, colour.encoding, depth.encoding) == (424, 240, "rgb8", "16UC1")
    assert (info.width, info.height, info.distortion_model) == (424, 240, "plumb_bob")
    assert colour.header.frame_id == depth.header.frame_id == "camera_left_color_optical_frame"
    assert np.median(np.diff(stamps(ur5e.heard[ur5e.colour]))) == pytest.approx(S / 15, rel=0.01)


def test_joint_states_come_at_500_hz_best_effort(ur5e):
    (offered,) = ur5e.node.get_publishers_info_by_topic(f"{ur5e.node.get_namespace()}/joint_states")
    assert offered.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    start = len(ur5e.arm_states())
    ur5e.during(2.0)
    steps = np.diff(stamps(ur5e.arm_states()[start:]))
    assert np.median(steps) == 2_000_000 and (steps > 0).all()


def test_a_gripper_has_states_of_its_own_with_its_own_clock(ur5e):
    ur5e.during(0.5)
    gripper = [m for m in ur5e.heard["joint_states"] if m.name == ["finger"]]
    assert np.median(np.diff(stamps(gripper))) == pytest.approx(S / 50, rel=0.01)
    behind = stamps(ur5e.arm_states())[-1] - stamps(gripper)[-1]
    assert behind == pytest.approx(3 * S, abs=0.1 * S)
    assert all("finger" not in m.name for m in ur5e.arm_states())


def test_an_inactive_controller_ignores_trajectories_and_holds_where_the_arm_is_when_activated(ur5e):
    there = ur5e.move(0.1)
    ur5e.until(lambda: abs(ur5e.joints()[0] - there[0]) < 2e-3)
    assert ur5e.ask(SetBool, "controller/activate", data=False).success
    here = ur5e.joints()
    ur5e.move(0.2, 0.3)
    ur5e.during(1.0)
    np.testing.assert_allclose(ur5e.joints(), here, atol=2e-3)
    start = len(ur5e.arm_states())
    assert ur5e.ask(SetBool, "controller/activate", data=True).success
    assert "before" in ur5e.ask(SetBool, "controller/activate", data=True).message
    ur5e.during(0.5)
    path = np.array([m.position for m in ur5e.arm_states()[start:]])
    assert np.abs(path - here).max() < 0.005  # no jump, nothing of what came meanwhile
    there = ur5e.move(-0.1)
    ur5e.until(lambda: abs(ur5e.joints()[0] - there[0]) < 2e-3)


def test_a_controller_says_where_it_wants_the_arm_while_it_is_active(ur5e):
    said = ur5e.heard["arm_controller/controller_state"]
    ur5e.during(1.0)  # the arm comes to rest
    assert said[-1].joint_names == list(ur5e.arm_states()[-1].name)
    np.testing.assert_allclose(said[-1].feedback.positions, ur5e.joints(), atol=5e-3)
    np.testing.assert_allclose(said[-1].reference.positions, ur5e.joints(), atol=2e-2)  # a servo is not exact
    assert np.median(np.diff(stamps(said[-10:]))) == pytest.approx(S / 60, rel=0.5)
    assert ur5e.ask(SetBool, "controller/activate", data=False).success
    ur5e.during(0.3)
    count = len(said)
    ur5e.during(0.5)
    assert len(said) == count
    assert ur5e.ask(SetBool, "controller/activate", data=True).success
    ur5e.until(lambda: len(said) > count + 10)


def test_a_restart_in_mid_motion_stops_the_arm_and_takes_trajectories_afterwards(ur5e):
    start = ur5e.joints()
    ur5e.move(0.4, 2.0)
    ur5e.until(lambda: ur5e.joints()[0] - start[0] > 0.1)
    assert ur5e.ask(Trigger, "controller/restart").success
    ur5e.during(1.0)
    here = ur5e.joints()
    assert here[0] - start[0] < 0.35  # it did not go on
    ur5e.during(0.3)
    np.testing.assert_allclose(ur5e.joints(), here, atol=2e-3)
    there = ur5e.move(start[0] - here[0])
    ur5e.until(lambda: abs(ur5e.joints()[0] - there[0]) < 2e-3)


def test_a_person_pushes_the_arm_which_stays_there_only_while_nobody_controls_it(ur5e):
    start, began = ur5e.joints(), len(ur5e.arm_states())
    push = {"target": "arm", "kind": "pushed", "amount": 0.2, "duration": 0.5}
    assert ur5e.ask(SimFault, "sim/fault", **push).success
    ur5e.until(lambda: max(m.position[0] for m in ur5e.arm_states()[began:]) - start[0] > 0.15)
    ur5e.until(lambda: np.abs(ur5e.joints() - start).max() < 2e-3)
    ur5e.during(0.3)
    np.testing.assert_allclose(ur5e.joints(), start, atol=3e-3)  # it is drawn back
    assert ur5e.ask(SetBool, "controller/activate", data=False).success
    assert ur5e.ask(SimFault, "sim/fault", **push).success
    ur5e.until(lambda: ur5e.joints()[0] - start[0] > 0.18)
    ur5e.during(0.5)
    left = ur5e.joints()
    assert left[0] - start[0] == pytest.approx(0.2, abs=0.02)
    assert ur5e.ask(SetBool, "controller/activate", data=True).success
    ur5e.during(0.5)
    np.testing.assert_allclose(ur5e.joints(), left, atol=3e-3)  # and held where it was found


def test_a_clock_that_is_ahead_stamps_all_ahead_and_refuses_what_is_past_there(ros):
    with stand_in("clock_offset:=0.5", "camera_rate:=10.0", "image_width:=106", "camera_clock_offset:=0.25") as rig:
        rig.during(1.0)
        for topic, offset in (("joint_states", 0.5), (rig.colour, 0.75)):
            late = np.array(rig.arrived[topic][-10:]) - stamps(rig.heard[topic][-10:])
            assert late.min() / S == pytest.approx(-offset, abs=0.15)
        here = rig.joints()
        rig.move(0.1, 0.2, stamp_ns=time.time_ns())  # ends 0.3 s ago, by the robot's clock
        rig.during(1.0)
        np.testing.assert_allclose(rig.joints(), here, atol=2e-3)
        there = rig.move(0.1, 0.2, stamp_ns=time.time_ns() + S // 2)
        rig.until(lambda: abs(rig.joints()[0] - there[0]) < 2e-3)


def test_frames_arrive_late_and_an_arm_lags(ros, tmp_path):
    sensor = tmp_path / "late.yaml"
    sensor.write_text("{latency: 0.2, depth_latency: 0.1, distortion: [-0.1, 0.0, 0.0, 0.0, 0.0]}")
    late = [f"sensor:={sensor}", "camera_rate:=10.0", "image_width:=106", "arm_lag:=0.2", "arm_delay:=0.1"]
    with stand_in(*late, camera="azure_kinect") as rig:
        rig.during(1.0)
        for topic, seconds in ((rig.colour, 0.2), (rig.depth, 0.3), (rig.info, 0.2)):
            age = np.array(rig.arrived[topic]) - stamps(rig.heard[topic])
            assert seconds - 0.02 < age.min() / S < seconds + 0.06, topic  # what comes later waited for a busy machine
        info, colour = rig.heard[rig.info][-1], rig.heard[rig.colour][-1]
        assert (info.distortion_model, len(info.d), info.d[0]) == ("rational_polynomial", 8, -0.1)
        assert (colour.encoding, colour.step) == ("bgra8", 4 * 106)
        start, sent = rig.joints(), time.monotonic()
        there = rig.move(0.1, 0.05)
        rig.until(lambda: rig.joints()[0] - start[0] > 0.063)
        assert 0.25 < time.monotonic() - sent < 0.8  # 0.1 s of dead time, 0.2 s time constant, and the motion itself
        rig.until(lambda: abs(rig.joints()[0] - there[0]) < 2e-3)


def test_what_cannot_be_configured_ends_with_a_status_that_is_not_tried_again(ros):
    process = subprocess.run(
        [sys.executable, "-m", "wm_sim.node", "--ros-args", "-p", "autostart:=true", "-p", "camera:=pinhole"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 78 and "realsense" in process.stdout + process.stderr
