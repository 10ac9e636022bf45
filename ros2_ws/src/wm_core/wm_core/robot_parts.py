"""The parts of a robot profile. SI units; positions in the table frame, where nothing else is said."""

from dataclasses import dataclass

import numpy as np

from wm_core.rotations import rotation_of


@dataclass(frozen=True)
class Box:
    """A solid box of the tool: middle and full extents (3,) [m] in the tool link's frame, along its axes."""

    position: np.ndarray
    size: np.ndarray


@dataclass(frozen=True)
class Mount:
    """Where a tool that the URDF does not have is fixed: pose (4, 4) of the tool link in the frame of `link`."""

    link: str
    pose: np.ndarray


@dataclass(frozen=True)
class Tool:
    """What touches objects. `link`: its tip, the point that is moved; `rotation` (3, 3): of the tip at rest, yaw 0.

    `height` [m]: of the tip above the table while it pushes. `boxes`: its solid parts, the lowest one first.
    `mount`: None for a tool that is part of the URDF.
    """

    link: str
    height: float
    rotation: np.ndarray
    boxes: tuple[Box, ...]
    mount: Mount | None

    def turned(self, yaw: float, pitch: float = 0.0) -> np.ndarray:
        """Rotation (3, 3) of the tip: from rest by `pitch` [rad] about the table's y axis, then by `yaw` about the vertical."""
        return rotation_of([0.0, *np.degrees([pitch, yaw])]) @ self.rotation if yaw or pitch else self.rotation


@dataclass(frozen=True)
class Home:
    """Where episodes start: tool position (3,) [m] and yaw [rad], and joints (n,) [rad] from which they are solved."""

    joints: np.ndarray
    position: np.ndarray
    yaw: float


@dataclass(frozen=True)
class Range:
    """Lower and upper bounds, each (k,)."""

    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class Gripper:
    """Two fingers. `range` [m or rad]: of each joint, closed first; `force` [N or N m]; `topic`: takes their positions.

    `opening` [m]: between the fingers when closed and when open. They close along the tip's y axis.
    """

    joints: tuple[str, ...]
    range: tuple[float, float]
    force: float
    topic: str
    opening: tuple[float, float]

    def joint_at(self, opening: float) -> float:
        """Position of each joint [m or rad] at an opening [m], which is kept within its range."""
        return float(np.interp(opening, self.opening, self.range))

    def opening_at(self, joint: float) -> float:
        """Opening [m] with the joints at a position [m or rad]."""
        closed, opened = self.range
        share = (joint - closed) / (opened - closed)
        return float(self.opening[0] + np.clip(share, 0.0, 1.0) * (self.opening[1] - self.opening[0]))


@dataclass(frozen=True)
class Limits:
    """Limits (n,) that are tighter than the URDF's, or stand in for what it lacks; None: the URDF's. SI units.

    `effort` is what the simulated servos may use. The URDF has no `acceleration` and no `jerk`: see Kinematics.
    """

    position: Range | None = None
    velocity: np.ndarray | None = None
    acceleration: np.ndarray | None = None
    jerk: np.ndarray | None = None
    effort: np.ndarray | None = None


@dataclass(frozen=True)
class HalfSpace:
    """No part of the arm may be where `normal` (3,) · position < `offset` [m], in the table frame."""

    name: str
    normal: np.ndarray
    offset: float


@dataclass(frozen=True)
class KeepOutBox:
    """A box that no part of the arm may enter: pose (4, 4) of its middle in the table frame, full extents `size` (3,) [m]."""

    name: str
    pose: np.ndarray
    size: np.ndarray


@dataclass(frozen=True)
class MaskPart:
    """Links that cameras see, and how far around them [m] depth readings are not trusted."""

    links: tuple[str, ...]
    margin: float
