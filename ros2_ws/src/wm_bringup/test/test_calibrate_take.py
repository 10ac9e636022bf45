"""`wm calibrate-cameras take`: an arm that holds a board really goes through the guard, or is guided by a person."""

import subprocess
import sys
from pathlib import Path

import board_robot
import numpy as np
import pytest
import rclpy
from trajectory_msgs.msg import JointTrajectory
from wm_msgs.msg import Command

from wm_core.kinematics import Kinematics
from wm_core.qos import STATE
from wm_core.robot import load_robot
from wm_perception.calibration.board import Board
from wm_perception.calibration.hand_eye import turned
from wm_perception.calibration.samples import Samples

PLACE, TARGET = board_robot.PLACE, board_robot.TARGET
rig_file, BoardRobot = board_robot.rig_file, board_robot.BoardRobot
CHANGE = np.array([0.04, 0.02, -0.03, 0.004, -0.006, 0.003])  # of how the board is held from what its file says
NAMESPACE = "calibration_test"


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics(load_robot())


def command(folder: Path, *words: str) -> list[str]:
    verb = [sys.executable, "-m", "wm_bringup.cli", "calibrate-cameras", "take", str(folder / "views")]
    files = ["--rig", str(folder / "rig.yaml"), "--board", str(folder / "board.yaml")]
    return [*verb, *files, "--namespace", NAMESPACE, "--driver", "none", *words]


def take(folder: Path, *words: str, answers: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(command(folder, *words), input=answers, capture_output=True, text=True, timeout=240)


@pytest.fixture
def robot(kinematics: Kinematics, tmp_path: Path):
    board = Board()
    board.save(tmp_path / "board.yaml")
    rig_file(tmp_path / "rig.yaml", PLACE + [0.02, -0.02, 0.01], TARGET)
    robot = BoardRobot(Kinematics(kinematics.robot), board, turned(board.mounted, CHANGE), f"/{NAMESPACE}")
    yield robot
    robot.close()


@pytest.mark.ros
def test_the_arm_goes_through_poses_by_the_guard_and_views_are_kept(robot: BoardRobot, tmp_path: Path):
    done = take(tmp_path, "--poses", "4", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pose 1 of" in done.stdout and "corners" in done.stdout
    found = Samples.open(tmp_path / "views").read("camera_left", robot.kinematics)
    assert len(found.views) >= 3
    rotations = [view.tool[:3, :3] for view in found.views]
    assert max(np.linalg.norm(a - b) for a in rotations for b in rotations) > 0.3
    assert np.abs(robot.q - robot.kinematics.robot.home.joints).max() < 0.02  # and back


@pytest.mark.ros
def test_an_arm_that_was_moved_before_enter_to_where_it_cannot_rise_stays_there(robot: BoardRobot, tmp_path: Path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command(tmp_path, "--poses", "1"), text=True, **pipes) as process:
        assert process.stdout and any("Ctrl-C holds it" in line for line in process.stdout)
        in_the_table = robot.kinematics.ik(np.array([0.4, 0.0, -0.02]), robot.kinematics.robot.tool.rotation, robot.q)
        robot.place(in_the_table)
        _, said = process.communicate("\n", timeout=120)
    assert process.returncode == 1
    assert "expected a free way from where the arm stands now to the first pose, found none: it was moved" in said
    np.testing.assert_allclose(robot.q, in_the_table, atol=1e-3)


@pytest.mark.ros
def test_the_arm_is_moved_by_the_controller_that_the_launch_names(kinematics: Kinematics, tmp_path: Path):
    board = Board()
    board.save(tmp_path / "board.yaml")
    rig_file(tmp_path / "rig.yaml")
    (tmp_path / "my_robot.yaml").write_text(
        "/**/wm_guard:\n  ros__parameters:\n    trajectory_topic: scaled_controller/joint_trajectory\n"
    )
    held, topic = board.mounted, "scaled_controller/joint_trajectory"
    robot = BoardRobot(Kinematics(kinematics.robot), board, held, f"/{NAMESPACE}", controller_topic=topic)
    try:
        done = take(tmp_path, "--poses", "1", "--yes", "--params-file", str(tmp_path / "my_robot.yaml"))
    finally:
        robot.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pose 1 of" in done.stdout


@pytest.mark.ros
def test_a_person_guides_the_arm_and_hears_what_is_seen(robot: BoardRobot, tmp_path: Path):
    robot.place(robot.kinematics.ik(np.array([0.4, 0.0, 0.2]), robot.kinematics.robot.tool.rotation, robot.q))
    done = take(tmp_path, "--guide", answers="\nq\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "camera_left sees" in done.stdout and len(list((tmp_path / "views/camera_left").glob("*.png"))) == 1


@pytest.mark.ros
def test_nobody_else_may_command_the_arm_meanwhile(robot: BoardRobot, tmp_path: Path):
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("planner", namespace=f"/{NAMESPACE}", context=context)
    node.create_publisher(Command, "wm/command", STATE)
    node.create_publisher(JointTrajectory, "scaled/joint_trajectory", STATE)
    try:
        done = take(tmp_path, "--poses", "3", "--yes", "--controller-topic", "scaled/joint_trajectory")
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    assert done.returncode == 1
    assert "somebody publishes on wm/command, scaled/joint_trajectory: end ./wm launch first" in done.stderr


@pytest.mark.ros
def test_silent_topics_are_named(robot: BoardRobot, tmp_path: Path):
    done = take(tmp_path, "--guide", "--info-topic", "{camera}/info")
    assert done.returncode == 1
    assert "expected messages on camera_left/info, none came" in done.stderr
