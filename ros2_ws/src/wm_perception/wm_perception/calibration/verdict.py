"""How far to trust a calibration: what held-out poses say, the error at the table that is to be expected, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wm_core.camera_model import Lens
from wm_core.robot import RobotProfile
from wm_core.rotations import parts_of
from wm_perception.calibration.board import BOARD_FILE
from wm_perception.calibration.hand_eye import Solution, SolveError, View, residuals, solve
from wm_perception.calibration.lens import seen_pose

FOLDS = 10
FEWEST_POSES = 10
LEAST_TURN = (
    8.0  # [degrees] spread of the board's rotation about the second of its axes, so that the camera's place follows
)
LEAST_PARTS = 6  # of 9 parts of the image that the board was in, to solve for the lens
WORST_MM, WORST_DEG = 3.0, 0.4  # of the error at the table that is to be expected
WORST_PX = 1.5  # RMS of the corners of held-out poses: more means another lens, other joints or another board
WORST_SCALE = 0.03  # of the board's squares: more is another board than its file's
SAME_M, SAME_DEG = 0.01, 1.0  # of the tool: nearer views are of one pose, say the same, and are held out together
_PARTS = 3
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Verdict:
    """`faults`: why a calibration is refused, each with what to do; empty: it may be used. `advice`: what would make it better.

    `poses`: how many different ones there are views of.
    `held_out_*`: RMS over poses that were not used, of the corners [px], of these seen sideways [mm], of the board's rotation as
    one image shows it [degrees]. `table_mm`, `table_deg`: expected RMS error where the arm works, of a point and of the rotation.
    """

    poses: int
    held_out_px: float
    held_out_mm: float
    held_out_deg: float
    table_mm: float
    table_deg: float
    faults: tuple[str, ...]
    advice: tuple[str, ...]


def judge(
    views: Sequence[View],
    solution: Solution,
    table: np.ndarray,
    prior: Lens | None = None,
    board_file: str | Path = BOARD_FILE,
) -> Verdict:
    """The verdict on a solution from `views`; `table` (n, 3) [m]: where errors count, in the table frame; `prior`: what was known of
    the lens, where it was solved for; `board_file`: which one to put right, for people.
    """
    free_lens = prior is not None
    faults, advice = list(missing(views, solution, free_lens)), []
    numbers = pose_numbers(views)
    poses = len(set(numbers))
    folds = min(FOLDS, poses)
    if poses < 2 * 3:
        none = float("nan")
        return Verdict(poses, none, none, none, none, none, tuple(faults), ())
    left_out = np.array(numbers) % folds
    solutions, pixels, sideways, angles = [], [], [], []
    for fold in range(folds):
        try:
            other = solve(
                [view for view, k in zip(views, left_out, strict=True) if k != fold],
                prior or solution.lens,
                free_lens,
                solution,
            )
        except SolveError as error:
            raise SolveError(f"without some of the poses nothing is solved: {error}") from error
        solutions.append(other)
        for view in (view for view, k in zip(views, left_out, strict=True) if k == fold):
            distances = np.linalg.norm(residuals([view], other), axis=1)
            depth = other.seen(view)[:, 2]
            pixels.append(distances)
            sideways.append(distances * depth / other.lens.K[0, 0])
            if (pose := seen_pose(other.lens, view.points, view.pixels)) is not None:
                angles.append(
                    angle_of(pose[:3, :3].T @ (np.linalg.inv(other.camera) @ view.tool @ other.board)[:3, :3])
                )
    shifts, turns = zip(*(error_at(other, solution, table) for other in solutions), strict=True)
    spread = np.sqrt((folds - 1) / folds)  # the jackknife's, of sums over the folds
    held_px = _rms(np.concatenate(pixels))
    table_mm, table_deg = float(1e3 * spread * np.linalg.norm(shifts)), float(spread * np.linalg.norm(turns))
    if held_px > WORST_PX:
        faults.append(
            f"corners of held-out poses are {held_px:.1f} px off, expected at most {WORST_PX} px: check that the arm stood still, that"
            " the board cannot move in the gripper, and the camera's intrinsics"
            + ("" if free_lens else " (--intrinsics solves for them)")
        )
    if abs(solution.scale - 1) > WORST_SCALE:
        faults.append(
            f"the board's squares seem to be {100 * (solution.scale - 1):+.1f} % longer than its file says, at most {100 * WORST_SCALE:g} %"
            f" are accepted: measure seven in a row, write square and marker into {board_file}, and solve again"
        )
    if table_mm > WORST_MM or table_deg > WORST_DEG:
        faults.append(
            f"the error at the table is to be expected at {table_mm:.1f} mm and {table_deg:.2f} degrees, at most {WORST_MM:g} mm and"
            f" {WORST_DEG:g} degrees are accepted: add poses, nearer to the camera and with more rotation"
        )
    if not faults:
        advice = list(missing(views, solution, True))
    return Verdict(
        poses,
        held_px,
        1e3 * _rms(np.concatenate(sideways)),
        _rms(np.array(angles)),
        table_mm,
        table_deg,
        tuple(faults),
        tuple(advice),
    )


def missing(views: Sequence[View], solution: Solution | None, free_lens: bool) -> list[str]:
    """What is missing in the choice of poses, and which to add."""
    found, poses = [], len(set(pose_numbers(views)))
    if poses < FEWEST_POSES:
        found.append(
            f"expected {FEWEST_POSES} poses or more with the board in sight, got {poses}: add {FEWEST_POSES - poses}"
            + (f"; {len(views) - poses} views more are of poses that were taken before" if len(views) > poses else "")
        )
    if len(views) >= 2:
        axis, turn = least_turned(views)
        if turn < LEAST_TURN:
            found.append(
                f"the tool turned by {turn:.0f} degrees (standard deviation) about the table's {axis} axis, expected {LEAST_TURN:g} or"
                f" more: add poses that are turned about {axis}, by 20 degrees both ways"
            )
    if free_lens and solution is not None and views:
        parts = parts_seen(views, solution.lens.width, solution.lens.height)
        if parts.sum() < LEAST_PARTS:
            found.append(
                f"the board was in {parts.sum()} of {parts.size} parts of the image, expected {LEAST_PARTS} or more: add poses with it in"
                f" the {', '.join(_part_names(~parts))}"
            )
    return found


def pose_numbers(views: Sequence[View]) -> list[int]:
    """Of each view the number of its pose: views that were taken at a pose again have that of the first."""
    kept: list[np.ndarray] = []
    numbers = []
    for view in views:
        number = next((i for i, tool in enumerate(kept) if _same(tool, view.tool)), len(kept))
        kept += [view.tool] * (number == len(kept))
        numbers.append(number)
    return numbers


def _same(tool: np.ndarray, other: np.ndarray) -> bool:
    """Whether two poses (4, 4) of the tool are one."""
    return (
        float(np.linalg.norm(tool[:3, 3] - other[:3, 3])) < SAME_M
        and angle_of(tool[:3, :3].T @ other[:3, :3]) < SAME_DEG
    )


def least_turned(views: Sequence[View]) -> tuple[str, float]:
    """The table's axis about which the tool should turn more, and how far it turned about the second of its main axes, as a
    standard deviation [degrees]: about two axes it must turn, the third may be still.
    """
    rotations = [view.tool[:3, :3] for view in views]
    left, _, right = np.linalg.svd(np.sum(rotations, 0))
    middle = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    vectors = np.array([cv2.Rodrigues(rotation @ middle.T)[0].reshape(3) for rotation in rotations])
    sizes, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    return _AXES[int(np.abs(axes[:, 1]).argmax())], float(np.degrees(np.sqrt(max(sizes[1], 0.0))))


def parts_seen(views: Sequence[View], width: int, height: int) -> np.ndarray:
    """Which parts (3, 3) of the image corners of the board were in, rows first."""
    seen = np.zeros((_PARTS, _PARTS), bool)
    for view in views:
        places = np.clip(view.pixels / [width, height] * _PARTS, 0, _PARTS - 1).astype(int)
        seen[places[:, 1], places[:, 0]] = True
    return seen


def error_at(found: Solution, truth: Solution, points: np.ndarray) -> tuple[float, float]:
    """How far points (n, 3) [m] lie from where they are when an image of them and their depth are read with another solution: RMS [m],
    and how far they are turned [degrees].
    """
    rotation, origin = parts_of(truth.camera)
    there = (points - origin) @ rotation
    rays = found.lens.rays(truth.lens.project(there))
    read = (rays * there[:, 2:]) @ found.camera[:3, :3].T + found.camera[:3, 3]
    left, _, right = np.linalg.svd((points - points.mean(0)).T @ (read - read.mean(0)))  # Kabsch (1976)
    turn = right.T @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ left.T
    return _rms(np.linalg.norm(read - points, axis=1)), angle_of(turn)


def table_points(robot: RobotProfile) -> np.ndarray:
    """Where errors count (9, 3) [m]: a grid on the table over the robot's reach."""
    x, y = (np.linspace(robot.reach.lower[axis], robot.reach.upper[axis], 3) for axis in range(2))
    return np.array([[a, b, 0.0] for a in x for b in y])


def angle_of(rotation: np.ndarray) -> float:
    """Of a rotation (3, 3), in degrees."""
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(rotation)[0])))


def _part_names(parts: np.ndarray) -> list[str]:
    rows, columns = ("upper", "middle", "lower"), ("left", "centre", "right")
    return [f"{rows[row]} {columns[column]}" for row, column in np.argwhere(parts)]


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
