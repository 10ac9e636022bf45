"""What the tool may do: how fast, where, and how near to a singularity of the arm."""

from dataclasses import dataclass

import numpy as np

from wm_core.kinematics import Kinematics
from wm_guard.limits import Limits, Refusal, excess

WITHIN = 1e-3  # [m] that a smooth motion may cut a corner of the workspace


@dataclass(frozen=True)
class ToolLimits:
    """`speed` [m/s]; the corners of the workspace `low`, `high` (3,) [m]."""

    kinematics: Kinematics
    speed: float
    low: np.ndarray
    high: np.ndarray

    def outside(self, q: np.ndarray) -> np.ndarray:
        """How far (3,) [m] the tool is outside the workspace with the joints `q` (n,) [rad]."""
        return excess(self.kinematics.fk(q)[0], self.low, self.high)

    def allowed(self, positions: np.ndarray, velocities: np.ndarray) -> float:
        """The share, at most 1, of the joint velocities (m, n) at positions (m, n) that the tool's speed allows; 0 where it
        would leave the workspace, or be further outside than at first.
        """
        tool = [self.kinematics.tool_motion(q, v) for q, v in zip(positions, velocities, strict=True)]
        places, speeds = (np.array(each) for each in zip(*tool, strict=True))
        if (excess(places, self.low, self.high) > excess(places[0], self.low, self.high) + WITHIN).any():
            return 0.0
        fastest = float(np.sqrt((speeds * speeds).sum(axis=1).max()))
        return 1.0 if fastest <= self.speed else self.speed / fastest


def condition(kinematics: Kinematics, q: np.ndarray) -> float:
    """Condition number of the Jacobian at joints `q` (n,) [rad]; infinity at a singularity."""
    values = np.linalg.svd(kinematics.jacobian(q), compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 else np.inf


def singularity_scale(kinematics: Kinematics, start: np.ndarray, end: np.ndarray, limits: Limits) -> float:
    """The share of the commanded speed on the way from joints `start` to `end` (n,) [rad]; raises Refusal.

    As MoveIt Servo: slowed where the condition number of the Jacobian is above a threshold, stopped at another, but an arm may
    always leave a singularity.
    """
    there = condition(kinematics, end)
    if there <= limits.singularity_slow or there <= condition(kinematics, start):
        return 1.0
    if there >= limits.singularity_stop:
        raise Refusal(
            "singularity",
            f"expected a condition number of the Jacobian below {limits.singularity_stop:g}, got {there:.0f}; keep away from"
            " stretched and folded poses",
        )
    return (limits.singularity_stop - there) / (limits.singularity_stop - limits.singularity_slow)
