"""How an arm whose controller may be elsewhere than commanded comes to a motion: without a leap. Pure functions."""

import numpy as np

from wm_core.kinematics import Kinematics
from wm_guard.limits import shortest_ns
from wm_guard.motions import NS, Sent

SLOWLY = 4  # times as long as the velocity limits ask for: the way of an arm that is elsewhere
PEAK = 1.8  # greatest speed of a tool on a way from rest to rest, over the mean: 1.5 along a straight one
BLEND = 0.03  # [s] to the first point, for a controller that may be elsewhere than where the motion begins
NEAR = 0.01  # [rad] an arm measured that near to where a motion begins has a controller that is there


def slowly_s(start: np.ndarray, end: np.ndarray, kinematics: Kinematics, fastest_tool: float) -> float:
    """How long [s] an arm that is elsewhere takes from joints (n,) to joints (n,): slowly, its tool at most at `fastest_tool` [m/s]."""
    return max(SLOWLY * shortest_ns(start, end, kinematics) / NS, tool_s(start, end, kinematics, fastest_tool))


def tool_s(start: np.ndarray, end: np.ndarray, kinematics: Kinematics, fastest_tool: float) -> float:
    """How long [s] the tool takes, at most at `fastest_tool` [m/s], of an arm that goes from rest at joints (n,) to rest at others."""
    return PEAK * float(np.linalg.norm(kinematics.fk(end)[0] - kinematics.fk(start)[0])) / fastest_tool


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
