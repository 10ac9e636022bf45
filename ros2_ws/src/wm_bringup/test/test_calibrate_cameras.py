"""`wm calibrate-cameras`: from a board and views of it to a rig; test_calibrate_take.py takes views."""

import shutil
from pathlib import Path

import board_robot
import cv2
import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import Writer

from wm_bringup.calibration.recorded import rests
from wm_bringup.calibration.topics import Topics, topics_of
from wm_bringup.launch_files import files_of_real
from wm_core.bags import typestore
from wm_core.camera_model import Lens
from wm_core.command_line import main
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_perception.calibration.board import Board
from wm_perception.calibration.hand_eye import turned
from wm_perception.calibration.poses import RoughCamera, board_is_clear, choose
from wm_perception.calibration.samples import Samples
from wm_sim.plates import Look, image_of

CAMERA, PLACE, TARGET, K = board_robot.CAMERA, board_robot.PLACE, board_robot.TARGET, board_robot.K
rig_file = board_robot.rig_file
D = np.zeros(5)
LENS = Lens(K, 640, 480)
CHANGE = np.array([0.04, 0.02, -0.03, 0.004, -0.006, 0.003])  # of how the board is held from what its file says


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics(load_robot())


@pytest.fixture(scope="module")
def views(kinematics: Kinematics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of views, as `take` leaves it."""
    board, rng = Board(), np.random.default_rng(0)
    samples = Samples.begin(tmp_path_factory.mktemp("taken") / "views", board)
    samples.add_camera("camera_left", LENS)
    rough, start = RoughCamera("camera_left", CAMERA.T_table_optical, LENS), kinematics.robot.home.joints
    for pose in choose(kinematics, board, [rough], 13, lambda a, b: board_is_clear(kinematics, board, a, b), start):
        seen = np.linalg.inv(CAMERA.T_table_optical) @ pose.tool @ turned(board.mounted, CHANGE)
        image = image_of(board.pattern(), board.size, seen, K, D, (480, 640), rng, Look(samples=2))
        samples.add("camera_left", image, dict(zip(kinematics.joint_names, pose.q, strict=True)))
    return samples.folder


def joints_of(image: Path, kinematics: Kinematics) -> np.ndarray:
    joints = yaml.safe_load(image.with_suffix(".yaml").read_text())["joints"]
    return kinematics.arm_joints(list(joints), list(joints.values()))


def test_a_board_is_made_to_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["calibrate-cameras", "board", str(tmp_path), "--square-mm", "30"]) == 0
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")
    assert Board.load(tmp_path / "board.yaml").square == 0.03
    assert "measure a square: 30 mm" in capsys.readouterr().out


def test_what_was_measured_of_a_board_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["calibrate-cameras", "board", str(tmp_path)]) == 0
    assert main(["calibrate-cameras", "board", str(tmp_path)]) == 0  # the same again
    file = tmp_path / "board.yaml"
    file.write_text(file.read_text().replace("square: 0.036", "square: 0.0355"))
    measured, page = file.read_text(), (tmp_path / "board.pdf").read_bytes()
    assert main(["calibrate-cameras", "board", str(tmp_path), "--rows", "4"]) != 0
    said = capsys.readouterr().err
    assert (
        "board.yaml: expected none, " in said and "got rows 5 in place of 4, square 0.0355 in place of 0.036;" in said
    )
    assert file.read_text() == measured and (tmp_path / "board.pdf").read_bytes() == page


def test_views_become_a_rig_with_a_residual_on_held_out_poses(
    views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rig = rig_file(tmp_path / "rig.yaml", PLACE + [0.02, -0.03, 0.02], TARGET)
    assert main(["calibrate-cameras", "solve", str(views), "--rig", str(rig)]) == 0
    said = capsys.readouterr().out
    assert "held-out poses: 0." in said and "to be expected at the table: 0." in said
    assert np.linalg.norm(CameraRig.load(rig)["camera_left"].T_table_optical[:3, 3] - PLACE) < 0.002
    assert rig.read_text().startswith("# measured by hand") and "# the left one" in rig.read_text()


def test_the_rig_has_the_lens_that_was_solved_with(views: Path, tmp_path: Path):
    """Whatever field of view and size a person wrote into it."""
    rig = rig_file(tmp_path / "rig.yaml")
    rig.write_text(rig.read_text().replace("fov_y_deg: 43", "fov_y_deg: 60").replace("width: 640", "width: 1280"))
    assert main(["calibrate-cameras", "solve", str(views), "--rig", str(rig)]) == 0
    found = CameraRig.load(rig)["camera_left"]
    assert (found.width, found.height) == (640, 480) and abs(found.K[1, 1] - K[1, 1]) < 0.01


def test_a_camera_without_views_is_named(views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rig = rig_file(tmp_path / "rig.yaml")
    line = next(line for line in rig.read_text().splitlines() if "camera_left" in line)
    rig.write_text(rig.read_text() + line.replace("camera_left", "camera_right") + "\n")
    words = ["calibrate-cameras", "solve", str(views), "--rig", str(rig)]
    assert main(words) == 1
    assert "no views of camera_right" in capsys.readouterr().out
    assert main([*words, "--cameras", "camera_left"]) == 0


def test_with_check_nothing_is_written(views: Path, tmp_path: Path):
    rig = rig_file(tmp_path / "rig.yaml")
    before = rig.read_text()
    assert main(["calibrate-cameras", "solve", str(views), "--rig", str(rig), "--check"]) == 0
    assert rig.read_text() == before


def test_a_bad_calibration_is_refused_and_says_what_to_add(
    views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    few = tmp_path / "few"
    (few / "camera_left").mkdir(parents=True)
    for file in [
        "board.yaml",
        "camera_left/camera.yaml",
        *(f"camera_left/000{i}.{end}" for i in range(5) for end in ("png", "yaml")),
    ]:
        (few / file).write_bytes((views / file).read_bytes())
    rig = rig_file(tmp_path / "rig.yaml")
    before = rig.read_text()
    assert main(["calibrate-cameras", "solve", str(few), "--rig", str(rig)]) == 1
    assert "refused: expected 10 poses or more with the board in sight, got" in capsys.readouterr().out
    assert rig.read_text() == before


def test_a_misprinted_board_is_put_right_in_the_file_that_the_refusal_names(
    views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    taken, rig = Path(shutil.copytree(views, tmp_path / "views")), rig_file(tmp_path / "rig.yaml")
    file, sizes = taken / "board.yaml", ("square: 0.036\nmarker: 0.027", "square: 0.034\nmarker: 0.0255")
    file.write_text(file.read_text().replace(*sizes))
    words = ["calibrate-cameras", "solve", str(taken), "--rig", str(rig), "--check"]
    assert main(words) == 1
    assert f"write square and marker into {file}, and solve again" in capsys.readouterr().out
    file.write_text(file.read_text().replace(*sizes[::-1]))
    assert main(words) == 0


def test_views_of_another_camera_are_refused(views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rig = tmp_path / "rig.yaml"
    rig.write_text(rig_file(tmp_path / "other.yaml").read_text().replace("camera_left", "camera_top"))
    assert main(["calibrate-cameras", "solve", str(views), "--rig", str(rig)]) == 2
    assert "expected views of ['camera_top'], found those of ['camera_left']" in capsys.readouterr().err


def test_an_arm_rests_where_it_stood_long_enough_and_elsewhere_than_before():
    times = np.arange(0, 10_000_000_000, 20_000_000)
    seconds = times / 1e9
    places = np.interp(seconds, [0, 2, 4, 6, 6.3, 10], [0, 0, 1, 1, 1.5, 2])[:, None]  # rests 0 to 2 and 4 to 6 s
    found = rests(times, places)
    assert [(round(begin / 1e9, 1), round(end / 1e9, 1)) for begin, end in found] == [(0.3, 2.0), (4.3, 6.0)]
    assert rests(times, np.zeros((len(times), 1)))[1:] == []


def test_topics_are_those_that_the_launch_gives_its_nodes(tmp_path: Path):
    robot, mine = load_robot("ur5e"), tmp_path / "my_robot.yaml"
    mine.write_text(
        "/**/wm_perception: {ros__parameters: {colour_topic: '/{camera}/rgb', joint_topic: /arm/joints}}\n"
        "/**/wm_guard: {ros__parameters: {joint_topic: /arm/joints}}\n"
        "/**/wm_planner: {ros__parameters: {joint_topic: /arm/joints}}\n"
    )
    found = topics_of(robot, files_of_real("ur5e", "auto", "", [mine]), {"info": "/info", "depth": ""})
    assert (found.colour, found.info, found.depth) == ("/{camera}/rgb", "/info", Topics().depth)
    assert found.joints == "/arm/joints"
    assert found.controller == "/scaled_joint_trajectory_controller/joint_trajectory"  # of the shipped driver
    without = topics_of(robot, files_of_real("ur5e", "none", "", []), {})
    assert (without.joints, without.controller) == (robot.joint_topic, robot.controller_topic)
    assert topics_of(robot, [], {"controller": "/c"}).controller == "/c"


def test_views_are_read_out_of_a_recording_once(kinematics: Kinematics, views: Path, tmp_path: Path, capsys):
    """The arm rests at three poses for a second each, and goes from one to the next in between."""
    store = typestore()
    poses = [joints_of(views / "camera_left" / file, kinematics) for file in ("0000.png", "0001.png", "0003.png")]
    images = [
        cv2.imread(str(views / "camera_left" / file), cv2.IMREAD_COLOR_RGB)
        for file in ("0000.png", "0001.png", "0003.png")
    ]
    kinds = {
        "/joint_states": "JointState",
        "/camera_left/color/image_raw": "Image",
        "/camera_left/color/camera_info": "CameraInfo",
    }

    def header(ns: int):
        stamp = store.types["builtin_interfaces/msg/Time"](sec=ns // 10**9, nanosec=ns % 10**9)
        return store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")

    with Writer(tmp_path / "bag", version=9) as writer:
        connections = {
            topic: writer.add_connection(topic, f"sensor_msgs/msg/{kind}", typestore=store)
            for topic, kind in kinds.items()
        }

        def write(topic: str, ns: int, **fields) -> None:
            kind = f"sensor_msgs/msg/{kinds[topic]}"
            writer.write(
                connections[topic], ns, store.serialize_cdr(store.types[kind](header=header(ns), **fields), kind)
            )

        roi = store.types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        info = {
            "height": 480,
            "width": 640,
            "distortion_model": "plumb_bob",
            "d": D,
            "k": K.reshape(-1),
            "r": np.eye(3).reshape(-1),
        }
        info |= {"p": np.zeros(12), "binning_x": 0, "binning_y": 0, "roi": roi}
        write("/camera_left/color/camera_info", 10**9, **info)
        times = [second + rest for second in (1, 3, 5) for rest in (0.0, 1.0)]
        path = np.repeat(np.stack(poses), 2, axis=0)
        for ns in range(10**9, 6 * 10**9, 20_000_000):
            q = np.array([np.interp(ns / 1e9, times, column) for column in path.T])
            nothing = np.zeros(0)
            write("/joint_states", ns, name=list(kinematics.joint_names), position=q, velocity=nothing, effort=nothing)
            if ns % 200_000_000 == 0:
                image = images[int(np.abs(np.stack(poses) - q).max(1).argmin())]
                shape = {"height": 480, "width": 640, "encoding": "rgb8", "is_bigendian": 0, "step": 3 * 640}
                write("/camera_left/color/image_raw", ns, data=image.reshape(-1), **shape)
    Board().save(tmp_path / "board.yaml")
    rig_file(tmp_path / "rig.yaml")
    words = [
        "take",
        str(tmp_path / "views"),
        "--rig",
        str(tmp_path / "rig.yaml"),
        "--board",
        str(tmp_path / "board.yaml"),
        "--driver",
        "none",
    ]
    assert main(["calibrate-cameras", *words, "--bag", str(tmp_path / "bag")]) == 0
    kept = tmp_path / "views/camera_left"
    assert [np.allclose(joints_of(kept / f"{i:04}.png", kinematics), q, atol=1e-3) for i, q in enumerate(poses)] == [
        True
    ] * 3
    assert capsys.readouterr().out == "camera_left: 3 views\n"
    assert main(["calibrate-cameras", *words, "--bag", str(tmp_path / "bag")]) == 0  # again
    assert capsys.readouterr().out == "camera_left: 0 views; 3 were there already\n"
    assert len(list(kept.glob("*.png"))) == 3
