"""`wm doctor --live` on real topics, and what it prints. Each check is tried with planted faults in bench/_doctor_faults_test.py."""

import argparse
import html as html_text
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from wm_bringup.cli import doctor
from wm_bringup.doctor.checks import CHECKS, examine
from wm_bringup.doctor.checks.cameras import seen
from wm_bringup.doctor.finding import ERROR, Finding, from_error
from wm_bringup.doctor.observed import JOINTS, Heard, Machine, Observed, Stream
from wm_bringup.doctor.page import lines, page
from wm_bringup.doctor.setup import setup_of
from wm_bringup.doctor.this_machine import this_machine
from wm_core.camera_model import Rectified
from wm_core.paths import rigs_dir
from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.rig import CameraRig
from wm_core.robot import load_robot

HEALTHY = Machine(8, 1.0, 1e9, 0.5, (), True)


def empty(**fields) -> Observed:
    """Ten seconds in which nobody said anything."""
    setup = setup_of(load_robot("panda"), {}, [])
    return Observed(
        **{"setup": setup, "begin_ns": 0, "end_ns": 10**10, "streams": {}, "endpoints": [], "machine": HEALTHY} | fields
    )


def test_what_nobody_publishes_is_named():
    findings = examine(empty())
    missing = {each.subject for each in findings if each.check == "topic_missing"}
    assert "joint_states" in missing and "camera_left/color/image_raw" in missing
    assert {each.subject for each in findings if each.check == "controller_missing"} == {
        "arm_controller/joint_trajectory"
    }


def test_images_count_as_rectified_as_perception_has_it(tmp_path):
    """By each topic's name, or by the parameter."""
    file = tmp_path / "own.yaml"

    def rectified(parameters: str) -> set[Rectified]:
        file.write_text(f"/**/wm_perception: {{ros__parameters: {{{parameters}}}}}")
        return {each.rectified for each in seen(empty(setup=setup_of(load_robot("panda"), {}, [file])))}

    assert rectified("depth_topic: '{camera}/depth_registered/image_rect'") == {Rectified(colour=False, depth=True)}
    assert rectified("rectified: 'true'") == {Rectified(colour=True, depth=True)}


def test_a_check_that_breaks_is_a_finding_and_the_others_run():
    broken = empty(machine=SimpleNamespace(cores=0))
    findings = examine(broken)
    assert {each.subject for each in findings if each.check == "check"} >= {"machine.memory"}
    assert any(each.check == "topic_missing" for each in findings)
    assert len(CHECKS) > 20


def heard_joints(robot, *others: list[str]) -> Observed:
    """An arm at rest, where states of other joints come between its own."""
    setup = setup_of(robot, {}, [])
    stream, rest = Stream(setup.joint_topic, JOINTS), robot.home.joints
    for i in range(0, 300, 3):
        for k, names in enumerate((list(robot.joints), *others)):
            places = rest if names == list(robot.joints) else np.full(len(names), 0.3)
            stamp = 10**9 + (i + k) * 10**7
            stream.heard.append(Heard(stamp, stamp))
            stream.kept.append((stamp, SimpleNamespace(name=names, position=list(places), velocity=[])))
    return empty(setup=setup, streams={stream.topic: stream})


def test_the_reset_of_a_simulator_is_no_leap():
    robot = load_robot("panda")
    observed = heard_joints(robot)
    stream = observed.arm
    for _, message in stream.kept[50:]:
        message.position = list(robot.home.joints + 0.5)
    assert "joint_leaps" in {each.check for each in examine(observed)}
    placed = SimpleNamespace(name=list(robot.joints), position=list(robot.home.joints + 0.5))
    topic = observed.setup.placed_topic
    observed.streams[topic] = Stream(topic, JOINTS, kept=[(stream.kept[50][0], placed)])
    assert "joint_leaps" not in {each.check for each in examine(observed)}
    observed.streams[topic] = Stream(topic, JOINTS, kept=[(stream.kept[20][0], placed)])  # at another time
    assert "joint_leaps" in {each.check for each in examine(observed)}


def names_found(observed: Observed) -> list[str]:
    return [each.remedy for each in examine(observed) if each.check == "joint_names"]


def test_other_joints_on_the_arms_topic_are_no_fault():
    """Of a gripper that the profile does not have, and of a second arm with another prefix."""
    robot = load_robot("ur5e", "left_")
    assert names_found(heard_joints(robot, ["robotiq_85_left_knuckle_joint"])) == []
    right = [f"right_{joint.removeprefix('left_')}" for joint in robot.joints]
    assert names_found(heard_joints(robot, right, list(robot.joints[:3]))) == []


def test_a_wrong_prefix_is_named_beside_a_gripper():
    there, expected = load_robot("ur5e", "left_"), load_robot("ur5e")
    observed = heard_joints(there, ["robotiq_85_left_knuckle_joint"])
    observed.setup = setup_of(expected, {}, [])
    assert "write prefix: 'left_'" in names_found(observed)[0]


def test_an_error_becomes_a_finding():
    found = from_error(ERROR, "c", "s", ValueError("expected rgb8, got nv12; set the format"))
    assert (found.expected, found.found, found.remedy) == ("rgb8", "nv12", "set the format")
    assert from_error(ERROR, "c", "s", ValueError("odd"), "look").remedy == "look"


def test_this_machine_can_be_read():
    machine = this_machine()
    assert machine.cores >= 1 and 0 < machine.memory_free < 1 and machine.shm_free > 0
    assert machine.synchronised in (True, False, None)


def test_the_page_needs_nothing_else_and_escapes():
    finding = Finding(ERROR, "rate", "/a<b>", "10 Hz", "2 Hz", "raise it")
    text = page(empty(), [finding])
    assert "1 error" in text and "/a&lt;b&gt;" in text and "No images came" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert "-> raise it" in lines(empty(), [finding])


class Robot:
    """As a simulator in real time: joints, two cameras of 128 x 128 that see the table, and a controller. `wrong` names what is
    wrong with it."""

    def __init__(self, wrong: str = "") -> None:
        self._robot, self._wrong, self._count = load_robot("panda"), wrong, 0
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("fake_robot", context=self._context)
        create = self._node.create_publisher
        self._joints = create(JointState, "joint_states", SENSOR)
        create(JointState, "arm_placed", LATCHED)  # of a simulator, which has no driver
        self._rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
        self._cameras = [
            (
                camera,
                create(Image, f"{camera.name}/color/image_raw", SENSOR),
                create(Image, f"{camera.name}/aligned_depth_to_color/image_raw", SENSOR),
                create(CameraInfo, f"{camera.name}/color/camera_info", STATE),
            )
            for camera in self._rig.cameras
        ]
        if wrong != "controller":
            self._node.create_subscription(JointTrajectory, self._robot.controller_topic, lambda message: None, STATE)
        if wrong == "interpolation":
            service = self._robot.controller_topic.rpartition("/")[0] + "/get_parameters"
            self._node.create_service(GetParameters, service, self._tell)
        self._node.create_timer(0.02, self._tick)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def _tick(self) -> None:
        self._count += 1
        stamp = self._node.get_clock().now().to_msg()
        q = self._robot.home.joints + 0.05 * np.sin(0.05 * self._count)
        state = JointState(name=list(self._robot.joints), position=q.tolist())
        state.header.stamp = stamp
        self._joints.publish(state)
        if self._count % 3:
            return
        for camera, colour, depth, info in self._cameras:
            rng = np.random.default_rng(self._count)
            frame = f"{camera.name}_optical"
            rgb = rng.integers(0, 255, (camera.height, camera.width, 3)).astype(np.uint8)
            table = self._table(camera) + rng.normal(0, 0.001, (camera.height, camera.width))
            if self._wrong == "unit":
                table = 10 * table
            for publisher, pixels, encoding in (
                (colour, rgb, "rgb8"),
                (depth, np.rint(1000 * table).astype(np.uint16), "16UC1"),
            ):
                image = Image(height=camera.height, width=camera.width, encoding=encoding, step=pixels[0].nbytes)
                image.header.stamp, image.header.frame_id = stamp, frame
                image.data = pixels.tobytes()
                publisher.publish(image)
            said = CameraInfo(height=camera.height, width=camera.width, k=camera.K.ravel().tolist())
            said.header.stamp, said.header.frame_id = stamp, frame
            info.publish(said)

    @staticmethod
    def _tell(request: GetParameters.Request, response: GetParameters.Response) -> GetParameters.Response:
        assert request.names == ["interpolate_from_desired_state"]
        response.values = [ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=False)]
        return response

    @staticmethod
    def _table(camera) -> np.ndarray:
        v, u = np.mgrid[0 : camera.height, 0 : camera.width]
        rays = np.stack(
            [(u - camera.K[0, 2]) / camera.K[0, 0], (v - camera.K[1, 2]) / camera.K[1, 1], np.ones(u.shape)]
        )
        down = -np.tensordot(camera.T_table_optical[2, :3], rays, 1)
        return np.clip(camera.T_table_optical[2, 3] / np.maximum(down, 0.1), 0, 3)

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)


def examined(tmp_path: Path, capsys, wrong: str = "") -> tuple[int, str, str]:
    """Exit status, what is printed, and the page, of a doctor that looks at a robot for four seconds."""
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    html = tmp_path / "report.html"
    robot = Robot(wrong)
    try:
        status = doctor.run(parser.parse_args(["--live", "--seconds", "4", "--html", str(html)]))
    finally:
        robot.close()
    return status, capsys.readouterr().out, html.read_text()


@pytest.mark.ros
def test_a_healthy_robot_has_no_errors(tmp_path: Path, capsys):
    status, said, html = examined(tmp_path, capsys)
    assert status == 0, said
    assert "-> start its driver" not in said
    assert html.count("data:image/png") == 2 and "camera_left: colour and depth." in html


@pytest.mark.ros
@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ("unit", "depth_unit: 0.0001"),
        ("controller", "list_controllers"),
        ("interpolation", "set interpolate_from_desired_state: true of &#x27;arm_controller&#x27;"),
    ],
)
def test_a_fault_of_a_real_robot_is_found(tmp_path: Path, capsys, wrong: str, remedy: str):
    status, said, html = examined(tmp_path, capsys, wrong)
    assert status == 1
    assert html_text.unescape(remedy) in said and remedy in html


@pytest.mark.ros
def test_who_is_not_there_is_named(capsys):
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    assert doctor.run(parser.parse_args(["--live", "--seconds", "0.5"])) == 1
    assert "nobody publishes it" in capsys.readouterr().out
