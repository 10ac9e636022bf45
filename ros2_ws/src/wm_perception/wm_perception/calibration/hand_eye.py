"""Eye-to-hand: where a camera stands that sees a board which the arm holds; closed form first, then all corners together.

For each pose i: T_table_optical T_optical_board(i) = T_table_tool(i) T_tool_board; the camera and how the board is held are wanted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from wm_core.camera_model import Lens
from wm_core.rotations import parts_of, pose_of
from wm_perception.calibration.lens import NO_DISTORTION, PLUMB_BOB, seen_pose

_STEPS = 50
_CONVERGED = 1e-10
_OUTLIER = 3.0  # times the usual residual, from which a corner's weight falls (Huber)
_DIFFERENCE = 1e-6  # for derivatives
# How far a lens is from what is known before, standard deviations of fx, fy, cx, cy [share of the width], k1, k2, p1, p2, and of a
# fisheye's k1 to k4. The principal point is hardly seen beside the camera's rotation and the tangential distortion: this keeps them
# together.
_LENS_SPREAD = np.array([0.1, 0.1, 0.02, 0.02, 0.2, 0.4, 1e-3, 1e-3])
_FISHEYE_SPREAD = np.array([0.1, 0.1, 0.02, 0.02, 0.1, 0.1, 0.1, 0.1])
_CORNER_NOISE = 0.2  # [px] of a corner that is found
_ARM_TURN, _ARM_SHIFT = np.radians(0.04), 0.0005  # [rad, m] by which the tool is elsewhere than the joints say
_FAR_OFF = 6.0  # times the usual distance of a corner from the others of its image: it is left out
_SCALE_SPREAD = 0.01  # of a printed board
_FIXED = 13  # parameters: camera, board, scale; those of the lens follow


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
    """`camera` (4, 4): pose of the optical frame in the table frame; `board` (4, 4): of the board's in the tool's; `scale`: how much
    larger the board is than its file says, which the arm's motion tells.
    """

    camera: np.ndarray
    board: np.ndarray
    lens: Lens
    scale: float = 1.0

    def seen(self, view: View) -> np.ndarray:
        """Where the corners of a view (n, 3) [m] should be, in the optical frame."""
        pose = np.linalg.inv(self.camera) @ view.tool @ self.board
        return self.scale * view.points @ pose[:3, :3].T + pose[:3, 3]


def solve(views: Sequence[View], lens: Lens, free_lens: bool = False, begin: Solution | None = None) -> Solution:
    """The camera's pose, from the closed form or from `begin` on, by least squares over all corners.

    Corners of one image are wrong together where its joints are measured wrong. They are weighed by that: the shape of the board in
    an image says most of the lens, where it lies says little more than the arm is exact.

    `free_lens`: solve for the intrinsics and four numbers of the distortion too, k1, k2, p1, p2 or k1 to k4 of a fisheye, where `lens`
    says about what they are; what other coefficients it has stay. Raises SolveError for too
    few views, or for poses among which the board did not turn.
    """
    prior = lens if free_lens else None
    start = _refined(views, closed_form(views, lens), prior) if begin is None else begin
    kept = _without_outliers(views, start)
    return _refined(kept, start, prior, [_whitening(view, start) for view in kept])


def closed_form(views: Sequence[View], lens: Lens) -> Solution:
    """Both poses at once from the poses that single images show: rotations after Shah (2013), then translations."""
    pairs = [(view.tool, pose) for view in views if (pose := seen_pose(lens, view.points, view.pixels)) is not None]
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


def _refined(
    views: Sequence[View], start: Solution, prior: Lens | None, whitening: Sequence[np.ndarray] | None = None
) -> Solution:
    """The solution near `start`: all corners alike and robust against some of them, or with `whitening` of each view's residuals
    and robust against whole views.
    """
    counts = [len(view.points) for view in views]
    points = np.concatenate([view.points for view in views])
    pixels = np.concatenate([view.pixels for view in views])
    tools = np.repeat(np.stack([view.tool for view in views]), counts, axis=0)
    ends = np.cumsum(2 * np.array(counts))
    begin = np.zeros(_FIXED + (0 if prior is None else len(_LENS_SPREAD)))
    begin[_FIXED - 1] = (start.scale - 1) / _SCALE_SPREAD
    if prior is not None:
        begin[_FIXED:] = (_numbers(start.lens) - _numbers(prior)) / _spread(prior)

    def at(x: np.ndarray) -> Solution:
        lens = start.lens if prior is None else _with(prior, _numbers(prior) + _spread(prior) * x[_FIXED:])
        scale = 1 + _SCALE_SPREAD * float(x[_FIXED - 1])
        return Solution(turned(start.camera, x[:6]), turned(start.board, x[6:12]), lens, scale)

    def residual(x: np.ndarray) -> np.ndarray:
        there = at(x)
        rotation, origin = parts_of(there.camera)
        held = there.scale * points @ there.board[:3, :3].T + there.board[:3, 3]
        placed = np.einsum("nij,nj->ni", tools[:, :3, :3], held) + tools[:, :3, 3]
        errors = (there.lens.project((placed - origin) @ rotation) - pixels).reshape(-1)
        if whitening is None:
            return np.append(errors, _CORNER_NOISE * x[_FIXED - 1 :])
        parts = [white @ part for white, part in zip(whitening, np.split(errors, ends[:-1]), strict=True)]
        return np.concatenate([*parts, x[_FIXED - 1 :]])

    def by_view(r: np.ndarray) -> np.ndarray:
        sizes = np.array([np.sqrt(np.mean(part**2)) for part in np.split(r[: ends[-1]], ends[:-1])])
        weights = np.minimum(1.0, _OUTLIER * np.median(sizes) / np.maximum(sizes, 1e-12))
        return np.append(np.repeat(weights, 2 * np.array(counts)), np.ones(len(r) - ends[-1]))

    return at(least_squares(residual, begin, partial(_huber, corners=len(points)) if whitening is None else by_view))


def _without_outliers(views: Sequence[View], solution: Solution) -> list[View]:
    """Without corners that are far off beside the others of their image."""
    found = []
    for view in views:
        errors = residuals([view], solution)
        sizes = np.linalg.norm(errors - np.median(errors, axis=0), axis=1)
        kept = sizes <= _FAR_OFF * max(float(np.median(sizes)), _CORNER_NOISE)
        found.append(replace(view, points=view.points[kept], pixels=view.pixels[kept]))
    return found


def _whitening(view: View, solution: Solution) -> np.ndarray:
    """What makes the residuals (2 n,) [px] of a view independent and alike: the inverse root of their covariance, of corners that are
    found with noise in an image whose tool is not quite where the joints say.
    """
    here = solution.lens.project(solution.seen(view)).reshape(-1)
    spreads = np.array([_ARM_TURN] * 3 + [_ARM_SHIFT] * 3)
    moved = [replace(view, tool=turned(view.tool, _DIFFERENCE * unit)) for unit in np.eye(len(spreads))]
    columns = [(solution.lens.project(solution.seen(other)).reshape(-1) - here) / _DIFFERENCE for other in moved]
    by_arm = np.stack(columns, 1) * spreads
    return np.linalg.inv(np.linalg.cholesky(_CORNER_NOISE**2 * np.eye(len(here)) + by_arm @ by_arm.T))


def _huber(r: np.ndarray, corners: int) -> np.ndarray:
    """Weights of residuals of which the first 2 `corners` are of corners."""
    sizes = np.linalg.norm(r[: 2 * corners].reshape(-1, 2), axis=1)
    limit = _OUTLIER * max(float(np.median(sizes)), 1e-6)
    weights = np.repeat(np.minimum(1.0, limit / np.maximum(sizes, 1e-12)), 2)
    return np.append(weights, np.ones(len(r) - 2 * corners))


def _numbers(lens: Lens) -> np.ndarray:
    """fx, fy, cx, cy, and the first four numbers of the distortion."""
    return np.append(lens.K[[0, 1, 0, 1], [0, 1, 2, 2]], (lens.D or NO_DISTORTION)[:4])


def _spread(lens: Lens) -> np.ndarray:
    return (_FISHEYE_SPREAD if lens.fisheye else _LENS_SPREAD) * np.append(np.full(4, lens.width), np.ones(4))


def _with(lens: Lens, numbers: np.ndarray) -> Lens:
    K, D = lens.K.copy(), (*map(float, numbers[4:]), *(lens.D or NO_DISTORTION)[4:])
    K[[0, 1, 0, 1], [0, 1, 2, 2]] = numbers[:4]
    return replace(lens, K=K, model=lens.model or PLUMB_BOB, D=D)


def _rotation_near(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a matrix (3, 3) that is one up to a factor, of either sign."""
    left, _, right = np.linalg.svd(matrix * np.sign(np.linalg.det(matrix)))
    return left @ right
