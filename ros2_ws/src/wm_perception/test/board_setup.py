"""An arm that holds a board before a camera: images are rendered by wm_sim.plates, which shares nothing with the solver."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.camera_model import Lens
from wm_core.kinematics import Kinematics
from wm_core.rig import looking_at
from wm_core.robot import load_robot
from wm_core.rotations import pose_of
from wm_perception.calibration.board import Board
from wm_perception.calibration.hand_eye import Solution, View, turned
from wm_perception.calibration.poses import RoughCamera, board_is_clear, choose
from wm_perception.calibration.verdict import table_points
from wm_sim.plates import Look, image_of

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
