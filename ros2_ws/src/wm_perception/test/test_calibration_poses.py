"""Poses of the arm that show the board: turned every way, in sight, and with a free way to them."""

import board_setup
import numpy as np

from wm_core.camera_model import Lens
from wm_core.rig import looking_at
from wm_core.rotations import pose_of
from wm_perception.calibration.board import Board
from wm_perception.calibration.poses import CLEARANCE, Pose, RoughCamera, choose, in_sight, way_back
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


def back(free, *joints: float) -> list[float]:
    """Where an arm with one joint goes on its way back from the last of its places."""
    start, *poses = (np.array([q]) for q in joints)
    return [float(q[0]) for q in way_back(free, start, [Pose(q, np.eye(4), ()) for q in poses])]


def test_the_way_back_is_straight_as_far_as_that_is_free():
    assert back(lambda a, b: True, 0.0, 0.5, 1.0, 1.5) == [0.0]
    assert back(lambda a, b: False, 0.0, 0.5, 1.0, 1.5) == [1.0, 0.5, 0.0]
    # A board that began near the table is not lowered to there on a new way: the first pose is, and then by the way it rose.
    assert back(lambda a, b: b[0] > 0, 0.0, 0.5, 1.0, 1.5) == [0.5, 0.0]
    assert back(lambda a, b: True, 0.0, 1.5, 3.0) == [1.5, 0.0]  # no joint turns far at once


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
