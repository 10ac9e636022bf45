"""What calibration reads and writes: a camera's pose in a rig's file, views with their joints, and lenses."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import board_setup
import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wm_core.camera_model import Lens
from wm_core.rig import CameraRig, RigError
from wm_core.robot import load_robot
from wm_core.rotations import pose_of
from wm_perception.calibration.board import Board
from wm_perception.calibration.rig_file import with_camera, write_camera
from wm_perception.calibration.samples import Samples, SamplesError, read_lens

CAMERA, LENS, FISHEYE, SHAPE = board_setup.CAMERA, board_setup.LENS, board_setup.FISHEYE, board_setup.SHAPE
Setup, setup = board_setup.Setup, board_setup.setup

FLOW = """\
# our cell
frame_id: table
cameras:
  - {name: camera_left, width: 64, height: 48, fov_y_deg: 47, position: [0.5, 0.6, 0.6], look_at: [0.5, 0, 0]}  # left
  - {name: other, width: 64, height: 48, fov_y_deg: 47, position: [0.5, -0.6, 0.6], look_at: [0.5, 0, 0], near: 0.2}
"""
BLOCK = """\
frame_id: table
cameras:
  - name: other
    width: 64
    height: 48
    fov_y_deg: 47
    position: [0.5, -0.6, 0.6]
    look_at: [0.5, 0, 0]
  # the one at the window
  - name: camera_left
    width: 64
    height: 48
    fov_y_deg: 47  # of its data sheet
    position:
      - 0.5
      - 0.6
      - 0.6
    look_at: [0.5, 0.0, 0.0]
    near: 0.15
"""


@pytest.mark.parametrize("text", [FLOW, BLOCK])
def test_a_pose_is_written_and_the_rest_of_the_rig_stays(tmp_path: Path, text: str):
    file = tmp_path / "rig.yaml"
    file.write_text(text)
    before = CameraRig.load(file)
    write_camera(file, load_robot(), "camera_left", CAMERA, LENS)
    after = CameraRig.load(file)
    assert np.allclose(after["camera_left"].T_table_optical, CAMERA, atol=1e-5)
    assert after["camera_left"].near == before["camera_left"].near
    assert (after["camera_left"].width, after["camera_left"].height) == (LENS.width, LENS.height)
    np.testing.assert_allclose(after["camera_left"].K[1, 1], LENS.K[1, 1], rtol=1e-5)
    assert np.allclose(after["other"].T_table_optical, before["other"].T_table_optical)
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert all(comment in file.read_text() for comment in comments)
    assert list(tmp_path.iterdir()) == [file]


def test_a_pose_is_written_in_the_frame_of_the_rig(tmp_path: Path):
    robot = load_robot("xarm6")
    file = tmp_path / "rig.yaml"
    file.write_text(FLOW.replace("table", robot.base_frame))
    write_camera(file, robot, "camera_left", CAMERA)
    assert np.allclose(CameraRig.load(file).in_table_frame(robot)["camera_left"].T_table_optical, CAMERA, atol=1e-5)


def test_a_camera_that_is_not_in_the_rig_is_refused_and_nothing_is_changed(tmp_path: Path):
    file = tmp_path / "rig.yaml"
    file.write_text(FLOW)
    with pytest.raises(RigError, match="expected a camera 'camera_top' in the rig"):
        write_camera(file, load_robot(), "camera_top", CAMERA)
    assert file.read_text() == FLOW and list(tmp_path.iterdir()) == [file]


@given(st.integers(0, 10_000))
def test_any_pose_is_read_as_it_was_written(seed: int):
    rng = np.random.default_rng(seed)
    pose = pose_of(cv2.Rodrigues(rng.normal(size=3))[0], rng.normal(size=3))
    camera = yaml.safe_load(with_camera(FLOW, "camera_left", pose))["cameras"][0]
    assert np.allclose(camera["position"], pose[:3, 3], atol=1e-5) and len(camera["orientation"]) == 4


def test_views_are_read_as_they_were_kept(setup: Setup, tmp_path: Path):
    samples = Samples.begin(tmp_path / "views", setup.board)
    samples.add_camera("camera_left", LENS)
    q = setup.poses(3)[2]
    joints = dict(zip(setup.kinematics.joint_names, q, strict=True))
    samples.add("camera_left", setup.image(q, np.random.default_rng(0)), joints)
    samples.add("camera_left", np.zeros((*SHAPE, 3), np.uint8), joints)
    found = Samples.open(tmp_path / "views").read("camera_left", setup.kinematics)
    assert np.allclose(found.lens.K, LENS.K) and np.allclose(found.lens.D, LENS.D)
    assert len(found.views) == 1 and found.unseen == ("0001.png",)
    assert np.allclose(found.views[0].tool, setup.tool(q))


@pytest.fixture
def begun(setup: Setup, tmp_path: Path) -> Callable[[], Path]:
    """Takes a view in which no board is, into a folder of views; returns its image."""
    samples = Samples.begin(tmp_path / "views", setup.board)
    samples.add_camera("camera_left", LENS)
    joints = dict.fromkeys(setup.kinematics.joint_names, 0.1)
    return lambda: samples.add("camera_left", np.zeros((*SHAPE, 3), np.uint8), joints)


def test_a_view_overwrites_none_that_is_kept_where_a_bad_one_was_deleted(begun: Callable[[], Path]):
    for _ in range(3):
        last = begun()
    last.with_name("0001.png").unlink()
    last.with_name("0001.yaml").unlink()
    assert begun().name == "0003.png" and last.exists()


def test_a_view_that_was_interrupted_is_left_out_and_named(
    begun: Callable[[], Path], setup: Setup, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C comes when the image is there and its joints are not."""
    folder = begun().parent.parent
    with monkeypatch.context() as interrupted:
        interrupted.setattr(os, "fsync", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            begun()
    assert begun().name == "0002.png"
    found = Samples.open(folder).read("camera_left", setup.kinematics)
    assert (found.unseen, found.incomplete) == (("0000.png", "0002.png"), ("0001.png",))
    assert len(Samples.open(folder).places("camera_left", setup.kinematics)) == 2
    assert not list(folder.glob("**/.*"))  # nor half a file


@pytest.mark.parametrize("lens", [LENS, FISHEYE, replace(FISHEYE, D=(0.0,) * 4), Lens(LENS.K, 640, 480)])
def test_a_lens_is_read_as_it_was_kept(tmp_path: Path, lens: Lens):
    Samples.begin(tmp_path, Board()).add_camera("camera_left", lens)
    found = read_lens(tmp_path / "camera_left/camera.yaml")
    assert np.allclose(found.K, lens.K) and replace(found, K=lens.K) == lens


def test_a_lens_of_another_model_is_refused_by_name(tmp_path: Path):
    Samples.begin(tmp_path, Board()).add_camera("camera_left", replace(LENS, model="inverse_brown"))
    with pytest.raises(SamplesError, match=r"camera.yaml: .*got 'inverse_brown' with 5 coefficients; use rectified"):
        read_lens(tmp_path / "camera_left/camera.yaml")


def test_views_that_cannot_be_used_are_refused_by_name(setup: Setup, tmp_path: Path):
    samples = Samples.begin(tmp_path, setup.board)
    samples.add_camera("camera_left", LENS)
    joints = dict.fromkeys(setup.kinematics.joint_names, 0.0)
    file = samples.add("camera_left", np.zeros((100, 100, 3), np.uint8), joints)
    with pytest.raises(SamplesError, match=r"0000.png: expected an image of 640 x 480 pixels, got 100 x 100"):
        samples.read("camera_left", setup.kinematics)
    cv2.imwrite(str(file), setup.image(setup.poses(3)[0], np.random.default_rng(0)))
    file.with_suffix(".yaml").write_text("joints: {shoulder: 1.0}")
    with pytest.raises(SamplesError, match=r"0000.yaml: expected joints .*; is it of robot 'panda'\?"):
        samples.read("camera_left", setup.kinematics)


def test_views_of_another_board_are_kept_apart_however_it_is_mounted(tmp_path: Path):
    Samples.begin(tmp_path, Board())
    said = r"board.yaml: .* of the views that are there, got square 0.036 in place of 0.0355, marker .* true sizes into both files"
    with pytest.raises(SamplesError, match=said):
        Samples.begin(tmp_path, Board(square=0.0355, marker=0.0266))
    with pytest.raises(SamplesError, match=r"got columns 7 in place of 5, rows 5 in place of 4; .* in a new folder"):
        Samples.begin(tmp_path, Board(5, 4))
    turned_over = Board(mount=((0.1, 0.0, 0.0), (180.0, 0.0, 0.0)))
    assert Samples.begin(tmp_path, turned_over).board == Board.load(tmp_path / "board.yaml") == turned_over


def test_what_a_person_wrote_beside_the_board_stays(tmp_path: Path):
    file = Samples.begin(tmp_path, Board()).board_file
    file.write_text(f"{file.read_text()}# glued on 3 mm of aluminium\n")
    Samples.begin(tmp_path, Board())
    assert file.read_text().endswith("aluminium\n")
