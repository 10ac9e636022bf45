"""A board, views of it, and where a camera stands: images are rendered by wm_sim.plates, which shares nothing with the solver."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.camera_model import Lens
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig, RigError, looking_at
from wm_core.robot import load_robot
from wm_core.rotations import pose_of
from wm_perception.calibration.board import Board, BoardError
from wm_perception.calibration.hand_eye import Solution, SolveError, View, closed_form, solve, turned
from wm_perception.calibration.poses import CLEARANCE, RoughCamera, board_is_clear, choose, in_sight
from wm_perception.calibration.rig_file import with_camera, write_camera
from wm_perception.calibration.samples import Samples, SamplesError, read_lens
from wm_perception.calibration.verdict import error_at, judge, missing, parts_seen, table_points
from wm_sim.plates import Look, image_of, rays

PLACE = np.array([0.5, 0.72, 0.72])
CAMERA = pose_of(looking_at(PLACE, np.array([0.5, 0.0, 0.1])), PLACE)
D = (0.06, -0.1, 0.0005, -0.0004, 0.0)
LENS = Lens(np.array([[600.0, 0, 323], [0, 601, 236], [0, 0, 1]]), 640, 480, "plumb_bob", D)
FISHEYE = Lens(
    np.array([[520.0, 0, 321], [0, 521, 238], [0, 0, 1]]), 640, 480, "equidistant", (0.06, -0.03, 0.01, -0.003)
)
SHAPE = (LENS.height, LENS.width)


class Setup:
    """An arm that holds a board a little other than its file says, and a camera with a lens."""

    def __init__(self, lens: Lens = LENS) -> None:
        self.lens = lens
        self.kinematics, self.board = Kinematics(load_robot()), Board()
        self.held = turned(self.board.mounted, np.array([0.05, 0.03, -0.04, 0.005, -0.008, 0.004]))
        self.truth = Solution(CAMERA, self.held, lens)
        self.table = table_points(self.kinematics.robot)
        self.rough = RoughCamera("camera_left", CAMERA, lens)

    def poses(self, count: int) -> list[np.ndarray]:
        """Joints of each."""
        start = self.kinematics.robot.home.joints
        chosen = choose(self.kinematics, self.board, [self.rough], count, self.free, start)
        return [pose.q for pose in chosen]

    def free(self, here: np.ndarray, there: np.ndarray) -> bool:
        return board_is_clear(self.kinematics, self.board, here, there)

    def tool(self, q: np.ndarray) -> np.ndarray:
        position, rotation = self.kinematics.fk(q)
        return pose_of(rotation, position)

    def image(self, q: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        seen = np.linalg.inv(CAMERA) @ self.tool(q) @ self.held
        lens = self.lens.K, np.array(self.lens.D)
        look = Look(samples=2)
        return image_of(self.board.pattern(), self.board.size, seen, *lens, SHAPE, rng, look, self.lens.fisheye)

    def exact(self, tools: list[np.ndarray], noise: float = 0.0) -> list[View]:
        """Views without images: corners where they belong, with noise [px]."""
        rng = np.random.default_rng(0)
        corners = self.board.corners
        blank = [View(tool, corners, np.zeros((len(corners), 2))) for tool in tools]
        return [
            replace(view, pixels=self.lens.project(self.truth.seen(view)) + rng.normal(0, noise, (len(corners), 2)))
            for view in blank
        ]


@pytest.fixture(scope="module")
def setup() -> Setup:
    return Setup()


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


# -- the board -------------------------------------------------------------------------------------------------------


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


# -- images ----------------------------------------------------------------------------------------------------------


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


# -- poses -----------------------------------------------------------------------------------------------------------


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


# -- solving ---------------------------------------------------------------------------------------------------------


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
    verdict = judge(other, solve(other, LENS), setup.table)
    assert any(
        re.search(r"squares seem to be \+(4.9|5.0) % longer than its file says", fault) for fault in verdict.faults
    )


def test_an_outlying_corner_does_not_matter(setup: Setup, seen: list[View]):
    spoilt = [replace(seen[0], pixels=seen[0].pixels + np.eye(len(seen[0].pixels))[:, :1] * 40), *seen[1:]]
    assert error_at(solve(spoilt, LENS), setup.truth, setup.table)[0] < 1.5e-3


# -- refusals --------------------------------------------------------------------------------------------------------


def test_too_few_poses_are_refused_and_how_many_to_add_is_said(setup: Setup, seen: list[View]):
    few = seen[:7]
    faults = judge(few, solve(few, LENS), setup.table).faults
    assert any("expected 10 poses or more with the board in sight, got 7: add 3" in fault for fault in faults)


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


# -- files -----------------------------------------------------------------------------------------------------------

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
    with pytest.raises(SamplesError, match="it has views of another board"):
        Samples.begin(tmp_path, Board(5, 4))
