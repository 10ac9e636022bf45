"""From tool motion to joint motion: inverse kinematics within the arm's limits."""

from dataclasses import dataclass

import numpy as np

from wm_core.kinematics import REACH_LOWER, REACH_UPPER, TOOL_DOWN, TOOL_HEIGHT, Kinematics, KinematicsError

VELOCITY_SHARE = 0.9  # of the URDF's joint velocity limits


@dataclass(frozen=True)
class ToolMotion:
    """A straight tool motion over one step and the joint positions that make it."""

    ee_start: np.ndarray  # (2,) [m]
    ee_end: np.ndarray  # (2,) [m]
    times: np.ndarray  # (k,) [s] from the start, ascending
    joints: np.ndarray  # (k, n) [rad]
    reason: str  # empty, or why the motion was shortened


class ToolPath:
    """Keeps the commanded joints and tool position, and extends them step by step.

    The tool stays at one height pointing straight down; each solution starts from the last one, so there are no jumps.
    """

    POINTS = 2  # joint positions per step

    def __init__(self, kinematics: Kinematics, step_duration: float, height: float = TOOL_HEIGHT) -> None:
        self._kinematics = kinematics
        self._step = step_duration
        self._height = height
        self._q: np.ndarray | None = None
        self._xy = np.zeros(2)

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._kinematics.joint_names

    @property
    def anchored(self) -> bool:
        """Whether the commanded joints are known."""
        return self._q is not None

    @property
    def position(self) -> np.ndarray:
        """Commanded tool position (2,) [m]."""
        return self._xy.copy()

    @property
    def joints(self) -> np.ndarray:
        """Commanded joints (n,) [rad]."""
        if self._q is None:
            raise KinematicsError("expected commanded joints, none yet; wait for joint_states")
        return self._q.copy()

    def anchor(self, q: np.ndarray) -> None:
        """Start over from joints (n,) [rad], e.g. the measured ones at the start or after a hold."""
        position, _ = self._kinematics.fk(q)
        self._q = np.array(q, float)
        self._xy = position[:2].copy()

    def continue_from(self, xy: np.ndarray) -> None:
        """Go on from another commanded place (2,) [m] near the last one; stays when the arm cannot be there."""
        try:
            self._q = self._kinematics.ik(np.array([*xy, self._height]), TOOL_DOWN, self.joints)
        except KinematicsError:
            return
        self._xy = np.array(xy, float)

    def forget(self) -> None:
        """Not anchored any more."""
        self._q = None

    def hold(self, reason: str = "") -> ToolMotion:
        """Stay where commanded."""
        return ToolMotion(self.position, self.position, np.array([self._step]), self.joints[None], reason)

    def move(self, displacement: np.ndarray) -> ToolMotion:
        """Move the commanded tool position by `displacement` (2,) [m] within one step.

        Clamped to the reach box, shortened to the joint velocity limits; holds when there is no solution. `reason` tells.
        """
        q0, start = self.joints, self.position
        reason = ""
        end = np.clip(start + displacement, REACH_LOWER, REACH_UPPER)
        for _ in range(4):
            try:
                joints = self._solve(q0, start, end)
            except KinematicsError as error:
                return self.hold(str(error))
            excess = self._excess(q0, joints)
            if excess <= 1.0:
                self._q, self._xy = joints[-1], end
                return ToolMotion(start, end, self._times(), joints, reason)
            reason = f"shortened to {100 / excess:.0f} % by a joint velocity limit"
            end = start + (end - start) * 0.98 / excess
        return self.hold("no motion within the joint velocity limits")

    def _solve(self, q0: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        joints, q = [], q0
        for share in np.arange(1, self.POINTS + 1) / self.POINTS:
            xy = start + share * (end - start)
            q = self._kinematics.ik(np.array([*xy, self._height]), TOOL_DOWN, q)
            joints.append(q)
        return np.stack(joints)

    def _excess(self, q0: np.ndarray, joints: np.ndarray) -> float:
        """Largest joint velocity over its limit; at most 1 is fine."""
        velocity = np.abs(np.diff(np.vstack([q0, joints]), axis=0)) * self.POINTS / self._step
        return float((velocity / (VELOCITY_SHARE * self._kinematics.velocity)).max())

    def _times(self) -> np.ndarray:
        return self._step * np.arange(1, self.POINTS + 1) / self.POINTS
