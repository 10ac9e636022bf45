"""Poses of the arm that show the board: turned every way, in sight, and with a free way to them."""

import board_setup
import numpy as np

from wm_core.camera_model import Lens
from wm_core.rig import looking_at
from wm_core.rotations import pose_of
from wm_perception.calibration.board import Board
from wm_perception.calibration.poses import CLEARANCE, RoughCamera, choose, in_sight
from wm_perception.calibration.verdict import missing, parts_seen

LENS, Setup, setup = board_setup.LENS, board_setup.Setup, board_setup.setup


def test_chosen_poses_show_the_board_turned_every_way_and_above_the_table(setup: Setup):
    poses = setup.poses(15)
    assert len(poses) >= 12
    views = setup.exact([setup.tool(q) for q in poses])
    assert not missing(views, setup.truth, free_lens=False)
    assert parts_seen(views, LENS.width, LENS.height).sum() >= 5
    for q in poses:
        pose = setup.tool(q) @ setup.board.mounted
        assert in_sight(pose, setup.board, setup.rough)
        assert (setup.board.outline @ pose[2, :3] + pose[2, 3]).min() >= CLEARANCE


def test_poses_to_which_no_way_is_free_are_left_out(setup: Setup):
    start = setup.kinematics.robot.home.joints
    assert choose(setup.kinematics, setup.board, [setup.rough], 5, lambda a, b: False, start) == []


def facing(board: Board, direction: list[float]) -> np.ndarray:
    """Pose (4, 4) in the optical frame of a board that faces the camera from there."""
    rotation = looking_at(np.zeros(3), np.array(direction))
    return pose_of(rotation, np.array(direction) - rotation @ np.append(board.size / 2, 0.0))


def test_a_board_is_in_sight_where_the_lens_shows_it():
    """Barrel distortion shows more than a pinhole of the same focal length does; what folds back into the image is not shown."""
    board, K = Board(), np.array([[340.0, 0, 320], [0, 340, 240], [0, 0, 1]])
    barrel = RoughCamera("left", np.eye(4), Lens(K, 640, 480, "plumb_bob", (-0.3, 0.03, 0.0, 0.0)))
    plain = RoughCamera("left", np.eye(4), Lens(K, 640, 480))
    assert all(in_sight(facing(board, [0.0, 0.05, 1.0]), board, each) for each in (barrel, plain))
    aside = facing(board, [0.8, 0.05, 1.0])
    assert in_sight(aside, board, barrel) and not in_sight(aside, board, plain)
    far = facing(board, [2.0, 0.05, 1.0])
    assert (np.abs(barrel.lens.project(far[None, :3, 3]) - [320, 240]) < [300, 220]).all()
    assert not in_sight(far, board, barrel)
