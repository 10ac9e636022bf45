"""The board: printed as OpenCV draws it, found in images where it is, and read as it was written."""

from pathlib import Path

import board_setup
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_perception.calibration.board import Board, BoardError
from wm_perception.calibration.hand_eye import View
from wm_sim.plates import rays

LENS, FISHEYE, Setup, setup = board_setup.LENS, board_setup.FISHEYE, board_setup.Setup, board_setup.setup


@pytest.mark.parametrize("board", [Board(), Board(6, 8, 0.02, 0.015, "DICT_5X5_100")])
def test_what_is_printed_is_the_board_that_opencv_draws(board: Board):
    pattern = board.pattern()
    drawn = board._made().generateImage(pattern.shape[::-1], marginSize=0)
    assert (pattern == (drawn < 128)).mean() > 0.99  # OpenCV rounds cells that are no whole pixels


def test_the_page_has_the_board_at_true_size():
    page = Board().pdf().decode("ascii")
    assert page.startswith("%PDF-1.4") and "/MediaBox [0 0 841.8898 595.2756]" in page  # A4 in points of 1/72 inch
    side = 0.036 * 72 / 0.0254
    assert f" {side:.4f} {side:.4f} re" in page


def test_a_board_that_does_not_fit_its_page_is_refused():
    with pytest.raises(BoardError, match=r"fits a page of 0.297 x 0.21 m, got 0.36 x 0.24 m; take fewer"):
        Board(9, 6, 0.04, 0.03).pdf()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"marker": 0.04}, "markers smaller than squares"),
        ({"dictionary": "DICT_9X9"}, "a dictionary of OpenCV"),
        ({"columns": 20, "rows": 20}, "at most 50 markers"),
    ],
)
def test_a_board_that_cannot_be_is_refused(fields: dict, said: str):
    with pytest.raises(BoardError, match=said):
        Board(**fields)


def test_a_board_is_read_as_it_was_written(tmp_path: Path):
    board = Board(6, 4, 0.03, 0.02, mount=((0.0, 0.1, 0.02), (0.0, 90.0, 0.0)))
    board.save(tmp_path / "board.yaml")
    assert Board.load(tmp_path / "board.yaml") == board
    with pytest.raises(BoardError, match=r"none.yaml: No such file or directory; ./wm calibrate-cameras board"):
        Board.load(tmp_path / "none.yaml")


@given(st.floats(0, 639), st.floats(0, 479))
def test_the_renderer_and_the_lens_agree_on_where_a_point_appears(u: float, v: float):
    for lens in (LENS, FISHEYE):
        direction = rays(lens.K, np.array(lens.D), np.array([[u, v]]), lens.fisheye)
        assert np.allclose(lens.project(direction), [[u, v]], atol=1e-3)
        assert np.allclose(lens.rays(np.array([[u, v]])), direction, atol=2e-3)


def test_corners_are_found_where_they_are(setup: Setup):
    q = setup.poses(3)[2]
    pixels, numbers = setup.board.find(setup.image(q, np.random.default_rng(0)))
    view = View(setup.tool(q), setup.board.corners[numbers], pixels)
    errors = LENS.project(setup.truth.seen(view)) - pixels
    assert len(numbers) > 12 and np.abs(errors.mean(0)).max() < 0.1 and errors.std() < 0.3


def test_no_board_is_found_where_there_is_none():
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    assert Board().find(noise) is None
