"""What the guard demands of a joint trajectory: form, position limits, workspace, speed. Pure functions on arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_core.joint_states import CONFIRM, LAG, TOLERANCE
from wm_core.kinematics import Kinematics
from wm_core.robot import RobotProfile

LONGEST_HOLD_S = 10.0
MAX_POINTS = 100
# [rad] spacing at which the straight line between two joint points is checked for where the tool goes.
SAMPLE_SPACING = 0.05
OVERSHOOT = 0.85  # share of a speed limit that is sent: an arm's servos were seen to be 13 % faster for moments


@dataclass(frozen=True)
class Limits:
    """What may go to the arm; angles in rad, lengths in m in the table frame, times in s."""

    tool_speed: float
    workspace_min: tuple[float, float, float]
    workspace_max: tuple[float, float, float]
    position_margin: float = 0.02  # kept free at both ends of every joint's range
    velocity_scale: float = 1.0  # share of the URDF's joint velocity limits
    max_jump: float = 0.35  # first point to the measured joints, any joint
    max_age: float = 0.2  # of a command's measurement
    timeout: float = 0.15  # without command until the arm is held
    joint_timeout: float = 0.08  # without joint state until the arm is held, or three of their periods
    watchdog_period: float = 0.005  # between two looks of the watchdog
    follow_tolerance: float = TOLERANCE  # between a measured joint and where it was commanded
    follow_lag: float = LAG  # that the arm may be behind its commands
    confirm_time: float = CONFIRM  # without contradiction until joint states that were not expected are believed
    acceleration_scale: float = 1.0  # share of the joints' acceleration and jerk limits
    smoothing: float = 0.1  # over which the velocity changes from one that is commanded to the next
    speed_limit: float = 0.0  # of the tool, below tool_speed; 0: none
    stop_category: int = 1  # of the emergency stop: 1 slows down within the limits, 0 stops at once
    singularity_slow: float = 50.0  # condition number of the Jacobian above which the arm is slowed on its way there
    singularity_stop: float = 100.0  # and at which it goes no further

    @property
    def fastest_tool(self) -> float:
        """[m/s] that is sent, so that the tool itself keeps its limit."""
        return OVERSHOOT * min(self.tool_speed, self.speed_limit or self.tool_speed)

    @staticmethod
    def of(robot: RobotProfile, **values: Any) -> "Limits":
        """The limits of a robot's profile, the others by name."""
        low, high = (tuple(corner.tolist()) for corner in (robot.workspace.lower, robot.workspace.upper))
        return Limits(**{"tool_speed": robot.tool_speed, "workspace_min": low, "workspace_max": high, **values})


@dataclass(frozen=True)
class Request:
    """A joint trajectory as it came, unchecked; `start_ns` 0 means now, `times_ns` count from the start."""

    names: Sequence[str]
    start_ns: int
    times_ns: Sequence[int]
    positions: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Motion:
    """A joint trajectory in the arm's joint order: `times_ns` (T,) int64 from the start, `positions` (T, n)."""

    start_ns: int
    times_ns: np.ndarray
    positions: np.ndarray


class Refusal(Exception):  # noqa: N818  an answer, not an error
    """A command that must not reach the arm. `reason`: short code, counted in diagnostics; the text says the rest."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def parse(request: Request, joint_names: Sequence[str]) -> Motion:
    """Bring a request into the arm's joint order; raises Refusal when its form is wrong."""
    order = joint_order(request.names, joint_names)
    count = len(request.positions)
    if not 1 <= count <= MAX_POINTS or len(request.times_ns) != count:
        raise Refusal(
            "size", f"expected 1 to {MAX_POINTS} points with one time each, got {count} with {len(request.times_ns)}"
        )
    if any(len(point) != len(request.names) for point in request.positions):
        sizes = sorted({len(point) for point in request.positions})
        raise Refusal("size", f"expected {len(request.names)} positions in every point, got {sizes}")
    positions = np.array([list(point) for point in request.positions], float)[:, order]
    if not np.isfinite(positions).all():
        raise Refusal("not_finite", "expected finite positions, got NaN or infinity")
    times = np.array(request.times_ns, np.int64)
    if times[0] < 0 or (np.diff(times) <= 0).any():
        raise Refusal(
            "time_order", f"expected times from start that increase from zero, got {(times[:5] / 1e9).tolist()} s"
        )
    return Motion(request.start_ns, times, positions)


def joint_order(names: Sequence[str], joint_names: Sequence[str]) -> list[int]:
    """Index in `names` of each arm joint; raises Refusal unless `names` is a permutation of them."""
    if len(names) != len(joint_names) or set(names) != set(joint_names):
        raise Refusal("names", f"expected the joints {list(joint_names)} in any order, got {list(names)[:16]}")
    return [list(names).index(name) for name in joint_names]


def excess(value: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """How far each number lies outside [lower, upper]; zero inside."""
    return np.maximum(np.maximum(lower - value, value - upper), 0.0)


def check_jump(first: np.ndarray, measured: np.ndarray, within: np.ndarray, names: Sequence[str]) -> None:
    """Refuse a first point (n,) that is farther than `within` (n,) from the measured joints (n,) [rad]."""
    jumps = np.abs(first - measured)
    if (jumps > within).any():
        joint = int((jumps - within).argmax())
        raise Refusal(
            "jump",
            f"{names[joint]}: expected a first point within {within[joint]:.2f} rad of the arm, got {jumps[joint]:.3f}",
        )


def check_positions(path: np.ndarray, lower: np.ndarray, upper: np.ndarray, names: Sequence[str]) -> None:
    """Refuse a path (T+1, n) that leaves the joint limits; path[0] is where the arm is.

    An arm that stands outside may move back in: no joint may be further out than at the point before.
    """
    outside = excess(path, lower, upper)
    worse = outside[1:] > outside[:-1] + 1e-9
    if worse.any():
        point, joint = map(int, np.argwhere(worse)[0])
        raise Refusal(
            "position_limit",
            f"{names[joint]}: expected {lower[joint]:.3f} to {upper[joint]:.3f} rad, "
            f"got {path[point + 1, joint]:.3f} at point {point}",
        )


def shortest_ns(start: np.ndarray, end: np.ndarray, kinematics: Kinematics) -> int:
    """How long [ns] joints (n,) [rad] need at their velocity limits; bounded, for a hold is sent whatever these are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = np.nanmax(np.abs(end - start) / kinematics.velocity, initial=0.0)
    return int(np.ceil(min(seconds, LONGEST_HOLD_S) * 1e9))


def shortest_durations(path: np.ndarray, kinematics: Kinematics, limits: Limits) -> dict[str, np.ndarray]:
    """Shortest allowed duration [s] of each segment of a joint path (T+1, n): (T,) for each limit that asks for it.

    Refuses a path on which the tool leaves the workspace. Segments are straight in joint space, so the tool's way
    between the points is sampled.
    """
    low, high = np.array(limits.workspace_min), np.array(limits.workspace_max)
    tool = kinematics.fk(path[0])[0]
    allowed = excess(tool, low, high)  # a tool outside the box may move back in
    tool_durations = np.empty(len(path) - 1)
    moves = np.diff(path, axis=0)
    for i, (start, move) in enumerate(zip(path[:-1], moves, strict=True)):
        pieces = max(1, int(np.ceil(np.abs(move).max() / SAMPLE_SPACING)))
        longest = 0.0
        for piece in range(1, pieces + 1):
            before, tool = tool, kinematics.fk(start + move * (piece / pieces))[0]
            outside = excess(tool, low, high)
            if (outside > allowed + 1e-6).any():
                raise Refusal(
                    "workspace",
                    f"tool would go to {np.round(tool, 3).tolist()} m, outside {low.tolist()} to {high.tolist()}",
                )
            allowed = np.minimum(allowed, outside)
            longest = max(longest, float(np.linalg.norm(tool - before)))
        tool_durations[i] = pieces * longest / limits.fastest_tool
    joint_durations = (np.abs(moves) / (kinematics.velocity * limits.velocity_scale)).max(axis=1)
    return {"joint_velocity": joint_durations, "tool_speed": tool_durations}
