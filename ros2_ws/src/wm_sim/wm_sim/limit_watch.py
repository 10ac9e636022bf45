"""Whether the simulated arm stays within its limits: an observer beside the physics that shares no code with wm_guard.

It reads the limits from the URDF's text and the motion from the physics engine, in every physics step.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Watched:
    """The worst of some physics steps. Shares are of the URDF's limits: above 1 a limit was exceeded."""

    velocity_share: float = 0.0  # fastest joint over its limit
    velocity_joint: str = ""
    position_excess: float = 0.0  # [rad] of the joint that is farthest outside its range
    position_joint: str = ""
    tool_speed: float = 0.0  # [m/s]
    commanded_speed: float = 0.0  # [rad/s] fastest joint of what the controller was sent, the last step's
    arm_speed: float = 0.0  # [rad/s] fastest joint of the arm, the last step's
    steps: int = 0


@dataclass
class LimitWatch:
    """Looks at every physics step; `take` gives what was seen since the last one. Joints in one order, as `joint_names` says."""

    description: str  # URDF
    joint_names: Sequence[str]
    period: float  # [s] between two looks
    seen: Watched = field(default_factory=Watched)

    def __post_init__(self) -> None:
        limits = {}
        for joint in ElementTree.fromstring(self.description).iter("joint"):
            if (limit := joint.find("limit")) is not None:
                limits[joint.get("name")] = [float(limit.get(key, "0")) for key in ("lower", "upper", "velocity")]
        self._tool: np.ndarray | None = None
        self._lower, self._upper, self._velocity = np.array([limits[name] for name in self.joint_names]).T

    def look(self, positions: np.ndarray, velocities: np.ndarray, tool: np.ndarray, commanded: np.ndarray) -> None:
        """One physics step: joints (n,) [rad], their velocities (n,) [rad/s], the tool's position (3,) [m], and the velocities (n,) that
        the controller was sent [rad/s].
        """
        seen = self.seen
        seen.steps += 1
        shares = np.abs(velocities) / self._velocity
        if shares.max() > seen.velocity_share:
            seen.velocity_share, seen.velocity_joint = float(shares.max()), self.joint_names[int(shares.argmax())]
        excess = np.maximum(self._lower - positions, positions - self._upper)
        if excess.max() > seen.position_excess:
            seen.position_excess, seen.position_joint = float(excess.max()), self.joint_names[int(excess.argmax())]
        if self._tool is not None:
            seen.tool_speed = max(seen.tool_speed, float(np.linalg.norm(tool - self._tool)) / self.period)
        self._tool = np.array(tool, float)
        seen.commanded_speed = float(np.abs(commanded).max())
        seen.arm_speed = float(np.abs(velocities).max())

    def placed(self) -> None:
        """The arm was put elsewhere, as by a reset: that is no motion."""
        self._tool = None

    def take(self) -> Watched:
        """What was seen since the last call."""
        seen, self.seen = self.seen, Watched()
        return seen
