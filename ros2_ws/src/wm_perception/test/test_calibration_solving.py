"""Where a camera stands is found from views of the board, and what is not known well enough is refused with the remedy."""

import re
from dataclasses import replace

import board_setup
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.camera_model import Lens
from wm_core.rotations import pose_of
from wm_perception.calibration.hand_eye import SolveError, View, closed_form, solve, turned
from wm_perception.calibration.verdict import error_at, judge, missing

CAMERA, LENS, FISHEYE, Setup = board_setup.CAMERA, board_setup.LENS, board_setup.FISHEYE, board_setup.Setup
setup = board_setup.setup


@pytest.fixture(scope="module")
def fisheye() -> Setup:
    return Setup(FISHEYE)


@pytest.fixture(scope="module")
def seen_round(fisheye: Setup) -> list[View]:
    return rendered(fisheye)


@pytest.fixture(scope="module")
def seen(setup: Setup) -> list[View]:
    return rendered(setup)


def rendered(setup: Setup) -> list[View]:
    """Views from rendered images, with joints that are measured a little wrong."""
    rng, views = np.random.default_rng(1), []
    for q in setup.poses(14):
        found = setup.board.find(setup.image(q, rng))
        if found is not None:
            measured = q + rng.normal(0, np.radians(0.01), len(q))
            views.append(View(setup.tool(measured), setup.board.corners[found[1]], found[0]))
    return views


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_exact_views_give_the_exact_camera(seed: int):
    setup, rng = Setup(), np.random.default_rng(seed)
    tools = [turned(setup.tool(setup.kinematics.robot.home.joints), 0.3 * rng.normal(size=6)) for _ in range(6)]
    tools = [pose_of(tool[:3, :3], [0.45, 0, 0.2] + 0.2 * (tool[:3, 3] - [0.45, 0, 0.2])) for tool in tools]
    views = setup.exact(tools)
    first = closed_form(views, LENS)
    assert np.allclose(first.camera, CAMERA, atol=1e-3)
    found = solve(views, LENS)
    assert np.allclose(found.camera, CAMERA, atol=1e-6) and np.allclose(found.board, setup.held, atol=1e-6)


def test_a_camera_is_found_to_a_millimetre_from_rendered_views(setup: Setup, seen: list[View]):
    solution = solve(seen, LENS)
    verdict = judge(seen, solution, setup.table)
    shift, angle = error_at(solution, setup.truth, setup.table)
    assert shift < 1e-3 and angle < 0.1
    assert not verdict.faults
    assert verdict.held_out_mm < 1.5 and verdict.table_mm < 1.0 and verdict.table_deg < 0.1
    assert 1e3 * shift < 4 * verdict.table_mm


def test_a_lens_is_found_too(setup: Setup):
    tools = [setup.tool(q) for q in setup.poses(25)]
    views = setup.exact(tools, noise=0.1)
    about = Lens(np.array([[640.0, 0, 319.5], [0, 640, 239.5], [0, 0, 1]]), 640, 480)
    solution = solve(views, about, free_lens=True)
    assert abs(solution.lens.K[0, 0] - 600) < 3 and abs(solution.lens.D[0] - 0.06) < 0.02
    assert error_at(solution, setup.truth, setup.table)[0] < 2e-3


def test_a_camera_with_a_fisheye_is_found_to_a_millimetre_from_rendered_views(fisheye: Setup, seen_round: list[View]):
    solution = solve(seen_round, FISHEYE)
    verdict = judge(seen_round, solution, fisheye.table)
    shift, angle = error_at(solution, fisheye.truth, fisheye.table)
    assert len(seen_round) >= 10 and shift < 1.5e-3 and angle < 0.15
    assert not verdict.faults and verdict.held_out_px < 0.5


def test_a_fisheye_that_is_taken_for_another_lens_is_refused(fisheye: Setup, seen_round: list[View]):
    """This is what its coefficients say when they are read as those of plumb_bob."""
    other = replace(FISHEYE, model="plumb_bob")
    assert any("px off" in fault for fault in judge(seen_round, solve(seen_round, other), fisheye.table).faults)


def test_a_fisheye_is_found_too(fisheye: Setup):
    views = fisheye.exact([fisheye.tool(q) for q in fisheye.poses(25)], noise=0.1)
    about = replace(FISHEYE, K=np.array([[545.0, 0, 319.5], [0, 545, 239.5], [0, 0, 1]]), D=(0.0,) * 4)
    found = solve(views, about, free_lens=True)
    assert found.lens.fisheye and abs(found.lens.K[0, 0] - 520) < 3 and abs(found.lens.D[0] - 0.06) < 0.05
    assert error_at(found, fisheye.truth, fisheye.table)[0] < 2e-3


def test_coefficients_that_are_not_solved_for_stay(setup: Setup):
    """As those of an Azure Kinect's colour camera."""
    D = (0.4, -2.5, 0.0007, -0.0001, 1.5, 0.3, -2.3, 1.4)
    kinect = Setup(replace(LENS, model="rational_polynomial", D=D))
    views = kinect.exact([kinect.tool(q) for q in kinect.poses(12)])
    about = replace(kinect.lens, K=kinect.lens.K * [[1.01], [1.01], [1.0]])
    found = solve(views, about, free_lens=True)
    assert found.lens.model == "rational_polynomial" and found.lens.D[4:] == D[4:]
    assert error_at(found, kinect.truth, kinect.table)[0] < 2e-3


def test_a_wrong_lens_is_noticed_by_held_out_poses(setup: Setup, seen: list[View]):
    wrong = replace(LENS, K=LENS.K * [[1.04], [1.04], [1]])
    verdict = judge(seen, solve(seen, wrong), setup.table)
    assert any("px off" in fault and "--intrinsics solves for them" in fault for fault in verdict.faults)


def test_a_board_that_was_printed_a_little_too_large_does_not_matter(setup: Setup, seen: list[View]):
    """The arm's motion tells how large it is."""
    smaller = [replace(view, points=view.points / 1.01) for view in seen]
    solution = solve(smaller, LENS)
    assert solution.scale == pytest.approx(1.01, abs=1e-3)
    assert error_at(solution, setup.truth, setup.table)[0] < 1e-3
    assert not judge(smaller, solution, setup.table).faults


def test_another_board_than_its_file_says_is_refused(setup: Setup, seen: list[View]):
    other = [replace(view, points=view.points / 1.05) for view in seen]
    verdict = judge(other, solve(other, LENS), setup.table, board_file="views/board.yaml")
    said = r"squares seem to be \+(4.9|5.0) % longer than its file says, .* into views/board.yaml, and solve again"
    assert any(re.search(said, fault) for fault in verdict.faults)


def test_an_outlying_corner_does_not_matter(setup: Setup, seen: list[View]):
    spoilt = [replace(seen[0], pixels=seen[0].pixels + np.eye(len(seen[0].pixels))[:, :1] * 40), *seen[1:]]
    assert error_at(solve(spoilt, LENS), setup.truth, setup.table)[0] < 1.5e-3


def test_too_few_poses_are_refused_and_how_many_to_add_is_said(setup: Setup, seen: list[View]):
    few = seen[:7]
    faults = judge(few, solve(few, LENS), setup.table).faults
    assert any("expected 10 poses or more with the board in sight, got 7: add 3" in fault for fault in faults)


def test_poses_that_were_taken_twice_count_once_and_are_held_out_together(setup: Setup, seen: list[View]):
    """Or seven poses would pass for ten, and each be judged by a solution that has seen its twin."""
    few = seen[:7]
    shaken = [replace(view, pixels=view.pixels + 0.01) for view in few]
    verdict = judge([*few, *shaken], solve([*few, *shaken], LENS), setup.table)
    assert verdict.poses == 7
    assert any("got 7: add 3; 7 views more are of poses that were taken before" in fault for fault in verdict.faults)
    once = judge(few, solve(few, LENS), setup.table)
    assert verdict.held_out_px == pytest.approx(once.held_out_px, rel=0.1)


def test_a_board_that_only_turned_about_one_axis_is_refused_and_the_missing_axis_is_named(setup: Setup):
    low = setup.tool(setup.kinematics.robot.home.joints)
    tools = [
        pose_of(cv2.Rodrigues(np.array([0.0, 0.0, angle]))[0] @ low[:3, :3], [0.4, 0.02 * i, 0.15])
        for i, angle in enumerate(np.linspace(-0.5, 0.5, 12))
    ]
    found = missing(setup.exact(tools), setup.truth, free_lens=False)
    assert any("turned by 0 degrees" in each and "by 20 degrees both ways" in each for each in found)


def test_a_board_that_never_turned_cannot_be_solved(setup: Setup):
    low = setup.tool(setup.kinematics.robot.home.joints)
    views = setup.exact([pose_of(low[:3, :3], [0.4, 0.03 * i, 0.15]) for i in range(6)])
    with pytest.raises(SolveError, match="it hardly turned"):
        solve(views, LENS)


def test_parts_of_the_image_without_the_board_are_named_where_the_lens_is_solved_for(setup: Setup, seen: list[View]):
    corner = [replace(view, pixels=view.pixels * 0.2) for view in seen]
    found = missing(corner, setup.truth, free_lens=True)
    assert any("in 1 of 9 parts of the image" in each and "lower right" in each for each in found)
