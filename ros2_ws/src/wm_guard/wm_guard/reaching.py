"""How an arm whose controller may be elsewhere than commanded comes to a motion: without a leap. Pure functions."""

import numpy as np

from wm_guard.motions import NS, Sent

# times as long as the velocity limits ask for: the way of an arm that is elsewhere, whatever its tool does
SLOWLY = 4
BLEND = 0.03  # [s] to the first point, for a controller that may be elsewhere than where the motion begins
NEAR = 0.01  # [rad] an arm measured that near to where a motion begins has a controller that is there


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


def joined(
    sent: Sent, apart: np.ndarray | None, velocity: np.ndarray, now_ns: int, *, on_it: bool, slowly: bool
) -> Sent:
    """From now on where the arm's controller is on this motion (`on_it`), and the arm near; else it has some time to the first point.

    `apart` (n,) [rad]: between where the arm is measured and commanded, None where that is not known; `slowly`: its controller may be
    where the arm is, however far that is.

    joint_trajectory_controller (since 4.17) begins the way to a first point that is still to come with its next command, one
    period too early: at each such trajectory all joints make the step of two periods in one. Points from now on have no such way.
    """
    if apart is None:
        return sent.later(now_ns + round(BLEND * NS))
    if on_it and apart.max() <= NEAR:
        return sent
    seconds = max(BLEND, SLOWLY * float((apart / velocity).max())) if slowly else BLEND
    return sent.later(now_ns + round(seconds * NS))
