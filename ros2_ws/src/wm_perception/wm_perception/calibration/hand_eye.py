"""Eye-to-hand: where a camera stands that sees a board which the arm holds; closed form first, then all corners together.

For each pose i: T_table_optical T_optical_board(i) = T_table_tool(i) T_tool_board; the camera and how the board is held are wanted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from wm_core.rotations import parts_of, pose_of
from wm_perception.calibration.lens import Lens

_STEPS = 50
_CONVERGED = 1e-10
_OUTLIER = 3.0  # times the usual residual, from which a corner's weight falls (Huber)
_DIFFERENCE = 1e-6  # for derivatives
# How far a lens is from what is known before, standard deviations of fx, fy, cx, cy [share of the width], k1, k2, p1, p2. The
# principal point is hardly seen beside the camera's rotation and the tangential distortion: this keeps them together.
_LENS_SPREAD = np.array([0.1, 0.1, 0.02, 0.02, 0.2, 0.4, 1e-3, 1e-3])
_CORNER_NOISE = 0.3  # [px] of a corner that is found


class SolveError(ValueError):
    """Views from which nothing can be solved."""


@dataclass(frozen=True)
class View:
    """The board in one image: `tool` (4, 4) pose of the tool in the table frame, `points` (n, 3) [m] corners in the board's frame,
    `pixels` (n, 2) where they were seen.
    """

    tool: np.ndarray
    points: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True)
class Solution:
    """`camera` (4, 4): pose of the optical frame in the table frame; `board` (4, 4): of the board's in the tool's."""

    camera: np.ndarray
    board: np.ndarray
    lens: Lens

    def seen(self, view: View) -> np.ndarray:
        """Where the corners of a view (n, 3) [m] should be, in the optical frame."""
        pose = np.linalg.inv(self.camera) @ view.tool @ self.board
        return view.points @ pose[:3, :3].T + pose[:3, 3]


def solve(views: Sequence[View], lens: Lens, free_lens: bool = False, begin: Solution | None = None) -> Solution:
    """The camera's pose, from the closed form or from `begin` on, by least squares over all corners.

    `free_lens`: solve for the intrinsics and k1, k2, p1, p2 too, where `lens` says about what they are. Raises SolveError for too
    few views, or for poses among which the board did not turn.
    """
    start = closed_form(views, lens) if begin is None else begin
    return _refined(views, start, lens if free_lens else None)


def closed_form(views: Sequence[View], lens: Lens) -> Solution:
    """Both poses at once from the poses that single images show: rotations after Shah (2013), then translations."""
    pairs = [(view.tool, pose) for view in views if (pose := lens.pose(view.points, view.pixels)) is not None]
    if len(pairs) < 3:
        raise SolveError(f"expected 3 or more poses with the board in sight, got {len(pairs)}")
    total = sum(np.kron(seen[:3, :3], tool[:3, :3]) for tool, seen in pairs)
    left, sizes, right = np.linalg.svd(total)
    if sizes[1] > 0.999 * sizes[0]:
        raise SolveError("expected poses among which the board turns about two axes or more, it hardly turned")
    camera, board = (_rotation_near(vector.reshape(3, 3).T) for vector in (left[:, 0], right[0]))
    rows = np.concatenate([np.c_[np.eye(3), -tool[:3, :3]] for tool, _ in pairs])
    values = np.concatenate([tool[:3, 3] - camera @ seen[:3, 3] for tool, seen in pairs])
    shifts = np.linalg.lstsq(rows, values, rcond=None)[0]
    return Solution(pose_of(camera, shifts[:3]), pose_of(board, shifts[3:]), lens)


def camera_alone(views: Sequence[View], start: Solution) -> Solution:
    """The camera's pose where it is known how the board is held."""
    return _refined(views, start, None, board=False)


def residuals(views: Sequence[View], solution: Solution) -> np.ndarray:
    """Of all corners (n, 2) [px]."""
    points = np.concatenate([solution.seen(view) for view in views])
    return solution.lens.project(points) - np.concatenate([view.pixels for view in views])


def turned(pose: np.ndarray, change: np.ndarray) -> np.ndarray:
    """A pose (4, 4) after a change (6,): rotation vector [rad] about its own origin, and translation [m], in the outer frame."""
    rotation, origin = parts_of(pose)
    return pose_of(cv2.Rodrigues(np.asarray(change[:3], float))[0] @ rotation, origin + change[3:6])


def least_squares(
    residual: Callable[[np.ndarray], np.ndarray], x: np.ndarray, weights: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Levenberg and Marquardt with weights that follow from the residuals: the least of sum(w r^2) from `x` (n,) on."""
    damping, r = 1e-3, residual(x)
    w = weights(r)
    for _ in range(_STEPS):
        jacobian = np.stack([(residual(x + _DIFFERENCE * unit) - r) / _DIFFERENCE for unit in np.eye(len(x))], 1)
        normal, gradient = (jacobian.T * w) @ jacobian, (jacobian.T * w) @ r
        cost, improved = float(w @ (r * r)), False
        for _ in range(10):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -gradient)
            there = residual(x + step)
            if float(w @ (there * there)) < cost:
                improved = True
                break
            damping *= 10
        if not improved:
            break
        gain = cost - float(w @ (there * there))
        x, r, damping = x + step, there, damping / 10
        w = weights(r)
        if gain < _CONVERGED * cost:
            break
    return x


def _refined(views: Sequence[View], start: Solution, prior: Lens | None, board: bool = True) -> Solution:
    points = np.concatenate([view.points for view in views])
    pixels = np.concatenate([view.pixels for view in views])
    tools = np.repeat(np.stack([view.tool for view in views]), [len(view.points) for view in views], axis=0)
    first = 12 if board else 6  # of what is of the lens
    begin = np.zeros(first + (0 if prior is None else len(_LENS_SPREAD)))
    if prior is not None:
        begin[first:] = (_numbers(start.lens) - _numbers(prior)) / _spread(prior)

    def at(x: np.ndarray) -> Solution:
        held = turned(start.board, x[6:12]) if board else start.board
        lens = start.lens if prior is None else _with(prior, _numbers(prior) + _spread(prior) * x[first:])
        return Solution(turned(start.camera, x[:6]), held, lens)

    def residual(x: np.ndarray) -> np.ndarray:
        there = at(x)
        rotation, origin = parts_of(there.camera)
        held = points @ there.board[:3, :3].T + there.board[:3, 3]
        placed = np.einsum("nij,nj->ni", tools[:, :3, :3], held) + tools[:, :3, 3]
        errors = (there.lens.project((placed - origin) @ rotation) - pixels).reshape(-1)
        return np.append(errors, _CORNER_NOISE * x[first:])

    return at(least_squares(residual, begin, _huber))


def _huber(r: np.ndarray) -> np.ndarray:
    sizes = np.linalg.norm(r.reshape(-1, 2), axis=1)
    limit = _OUTLIER * max(float(np.median(sizes)), 1e-6)
    return np.repeat(np.minimum(1.0, limit / np.maximum(sizes, 1e-12)), 2)


def _numbers(lens: Lens) -> np.ndarray:
    """fx, fy, cx, cy, k1, k2, p1, p2."""
    D = np.zeros(4)
    D[: len(lens.D)] = lens.D[:4]
    return np.append(lens.K[[0, 1, 0, 1], [0, 1, 2, 2]], D)


def _spread(lens: Lens) -> np.ndarray:
    return _LENS_SPREAD * np.append(np.full(4, lens.width), np.ones(4))


def _with(lens: Lens, numbers: np.ndarray) -> Lens:
    K, D = lens.K.copy(), np.zeros(5)
    K[[0, 1, 0, 1], [0, 1, 2, 2]] = numbers[:4]
    D[:4] = numbers[4:]
    return replace(lens, K=K, D=D)


def _rotation_near(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a matrix (3, 3) that is one up to a factor, of either sign."""
    left, _, right = np.linalg.svd(matrix * np.sign(np.linalg.det(matrix)))
    return left @ right
