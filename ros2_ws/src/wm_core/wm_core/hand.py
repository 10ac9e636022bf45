"""The solid parts of a tool that moves in space: two fingers, further apart or nearer, and what carries them."""

from dataclasses import dataclass

import numpy as np

from wm_core.robot import Box, RobotProfile
from wm_core.specs_schema import TOOL_FIELDS

FINGERS = 2
OPENING = TOOL_FIELDS.index("opening")  # of a tool state
HALF_TURN = np.pi


@dataclass(frozen=True)
class Hand:
    """Boxes in the frame of the tool at rest, which points straight down: x, y as the table's, z up, origin at the tip.

    `finger`: full extents (3,) [m] of each of the two fingers, which are side by side along y; `finger_z`: of their middle.
    `palm`: full extents (3,) of the box behind them, `palm_position` (3,) of its middle. `opening` [m]: closed and open.
    """

    finger: np.ndarray
    finger_z: float
    palm: np.ndarray
    palm_position: np.ndarray
    opening: tuple[float, float]

    @staticmethod
    def of(robot: RobotProfile) -> "Hand":
        """The pushing box of a tool is its closed fingers; a tool without a gripper never opens."""
        first, *rest = (_at_rest(box, robot.tool.rotation) for box in robot.tool.boxes)
        palm = _around(rest) if rest else Box(np.array([0.0, 0.0, first.position[2]]), first.size)
        size = first.size / [1, FINGERS, 1]
        return Hand(size, float(first.position[2]), palm.size, palm.position, robot.opening)

    @property
    def grips(self) -> bool:
        return self.opening[1] > self.opening[0]

    @property
    def reach_below(self) -> float:
        """[m] from the tip down to the fingers' ends."""
        return float(self.finger[2] / 2 - self.finger_z)

    @property
    def palm_height(self) -> float:
        """[m] of the palm above the tip: what is taller than the tip by more is hit by it."""
        return float(self.palm_position[2] - self.palm[2] / 2)

    def centres(self, opening: np.ndarray) -> np.ndarray:
        """Middles (..., 3 boxes, 3) [m] of left finger, right finger and palm at openings (...,) [m]."""
        opening = np.asarray(opening, float)
        at = np.zeros((*opening.shape, 3, 3))
        aside = (opening + self.finger[1]) / 2
        at[..., 0, 1], at[..., 1, 1] = aside, -aside
        at[..., :2, 2] = self.finger_z
        at[..., 2, :] = self.palm_position
        return at

    def gaps(self, tools: np.ndarray, middles: np.ndarray, radii: np.ndarray, heights: np.ndarray) -> np.ndarray:
        """Gaps (N, K) [m] between any box at tool states (N, 6) and upright cylinders, negative where they may overlap.

        `middles` (K, 2), `radii` (K,), `heights` (K, 2) of bottoms and tops [m], in the table frame. Never more than the true gap: a
        box that is pitched counts as the one along the table around it.
        """
        tools = np.asarray(tools, float)
        yaw, pitch = tools[:, 3, None], tools[:, 4, None]
        centre, half = self.centres(tools[:, OPENING]), self.halves
        cos, sin = np.cos(pitch), np.sin(pitch)
        ahead, up = cos * centre[..., 0] + sin * centre[..., 2], cos * centre[..., 2] - sin * centre[..., 0]
        half_ahead = np.abs(cos) * half[:, 0] + np.abs(sin) * half[:, 2]
        half_up = np.abs(sin) * half[:, 0] + np.abs(cos) * half[:, 2]
        dx, dy = (middles[:, axis] - tools[:, axis, None] for axis in (0, 1))  # (N, K)
        along, aside = np.cos(yaw) * dx + np.sin(yaw) * dy, np.cos(yaw) * dy - np.sin(yaw) * dx
        beyond = np.abs(along[:, None] - ahead[..., None]) - half_ahead[..., None]  # (N, boxes, K)
        beside = np.abs(aside[:, None] - centre[..., 1, None]) - half[:, 1, None]
        flat = np.hypot(np.maximum(beyond, 0), np.maximum(beside, 0)) - radii
        at = (tools[:, 2, None] + up)[..., None]
        over = np.maximum(heights[:, 0] - at, at - heights[:, 1]) - half_up[..., None]
        return np.maximum(flat, over).min(1)

    @property
    def halves(self) -> np.ndarray:
        """Half extents (3 boxes, 3) [m]."""
        return np.stack([self.finger, self.finger, self.palm]) / 2


def half_turned(yaw: np.ndarray | float, low: float, high: float) -> np.ndarray:
    """The yaw (...,) [rad] within [low, high] at which a hand of two like fingers looks the same; the nearest bound where there is none."""
    turned = low + np.mod(np.asarray(yaw, float) - low, HALF_TURN)
    return np.minimum(turned, high)


def _at_rest(box: Box, rotation: np.ndarray) -> Box:
    """A box of the tool link's frame in axes of the table; rests are quarter turns."""
    return Box(rotation @ box.position, np.abs(rotation @ box.size))


def _around(boxes: list[Box]) -> Box:
    lower = np.min([box.position - box.size / 2 for box in boxes], axis=0)
    upper = np.max([box.position + box.size / 2 for box in boxes], axis=0)
    return Box((lower + upper) / 2, upper - lower)
