"""How an arm whose controller may be elsewhere than commanded comes to a motion: without a leap. Pure functions."""

import numpy as np

from wm_core.kinematics import Kinematics
from wm_guard.limits import shortest_ns
from wm_guard.motions import NS, Sent

SLOWLY = 4  # times as long as the velocity limits ask for: the way of an arm that is elsewhere
PEAK = 1.9  # greatest speed on a way from rest to rest, over the mean: 1.5 of a cubic spline, 1.875 of a quintic one
BLEND = 0.03  # [s] to the first point, for a controller that may be elsewhere than where the motion begins
NEAR = 0.01  # [rad] an arm measured that near to where a motion begins has a controller that is there


def slowly_s(start: np.ndarray, end: np.ndarray, kinematics: Kinematics, fastest_tool: float) -> float:
    """How long [s] an arm that is elsewhere takes from joints (n,) to joints (n,): slowly, its tool at most at `fastest_tool` [m/s]."""
    return max(SLOWLY * shortest_ns(start, end, kinematics) / NS, arrive_s(start, end, kinematics, fastest_tool))


def arrive_s(start: np.ndarray, end: np.ndarray, kinematics: Kinematics, fastest_tool: float) -> float:
    """How long [s] an arm needs from rest at joints (n,) to joints (n,), within its joints' speed and `fastest_tool` [m/s] of its tool."""
    way = float(np.linalg.norm(kinematics.fk(end)[0] - kinematics.fk(start)[0]))
    return PEAK * max(shortest_ns(start, end, kinematics) / NS, way / fastest_tool)


def from_elsewhere(sent: Sent, measured: np.ndarray, kinematics: Kinematics, fastest_tool: float, now_ns: int) -> Sent:
    """Without the points to which a controller would leap that becomes active now, where the arm is measured (n,); the last one alone,
    and later, where all of them are such.
    """
    for i, (end_ns, point) in enumerate(zip(sent.ends_ns, sent.positions, strict=True)):
        due_ns = now_ns + round(max(arrive_s(measured, point, kinematics, fastest_tool), BLEND) * NS)
        if end_ns >= due_ns:
            return sent.since(i)
    return sent.only_at(due_ns)


def catching_up(
    points: np.ndarray, measured: np.ndarray, left: np.ndarray | None, velocity: np.ndarray, tolerance: float
) -> np.ndarray:
    """How long [s], (T,), an arm needs to points (T, n) that is elsewhere, at joints `measured` (n,): behind, for its controller is not
    active, or where that was left (n,) when it turned out so; None: it did not. `tolerance` [rad]: by which it may be behind.
    """
    moves = np.maximum(0.0, np.abs(points - measured) - tolerance)
    if left is not None:
        moves = np.maximum(moves, SLOWLY * np.abs(points - left))
    return (moves / velocity).max(axis=1)


def reachable(sent: Sent, seconds: np.ndarray, now_ns: int) -> Sent:
    """Without the points that come sooner than in `seconds` (T,)."""
    fine = now_ns + seconds * NS <= sent.ends_ns
    first = int(fine.argmax()) if fine.any() else -1
    return sent.since(first) if first else sent
