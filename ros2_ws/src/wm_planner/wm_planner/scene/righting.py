"""Set an object upright that has fallen over: hold it across its length, lift it, lay the hand on its side, put it down."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.hand import OPENING, Hand, half_turned
from wm_core.object_state import ROTATION
from wm_dynamics.scene_belief import SceneBelief
from wm_planner.scene.clearance import Prism, least_gap
from wm_planner.scene.stages import Stage
from wm_planner.scene.travel import grip, next_move, there

LIFT = 0.09  # [m] for the turn
DEEP = 0.02  # [m] of the tip below the highest place of what lies
TOWARDS_TOP = 0.1  # share of the height, from the middle, at which it is held
CLOSING, RELEASING = 4, 3  # steps
LOW = 0.012  # [m] of the tip over the table
ABOVE_TABLE = 0.004  # [m] at which it is let go
SIDE_ROOM = 0.012  # [m] between palm and table
SLOW = 0.4  # share of the limit while it turns


@dataclass
class Righting:
    """Of one object; `step` says what the hand does next."""

    hand: Hand
    slot: int
    lower: np.ndarray  # (6,) of tool states
    upper: np.ndarray
    limit: np.ndarray
    stage: Stage = Stage.APPROACH
    reason: str = ""
    tries: int = 0
    _way: list[np.ndarray] = field(default_factory=list)
    _waited: int = 0
    _pitch: float = 0.0

    def choose(self, belief: SceneBelief, tool: np.ndarray, prisms: Sequence[Prism]) -> bool:
        """A way to hold it and a side to turn it to; False where there is none."""
        axis = _axis(belief, self.slot)
        flat = float(np.linalg.norm(axis[:2]))
        if flat < 0.5:  # it stands, or nearly
            return False
        heading = np.arctan2(axis[1], axis[0])  # towards its own top
        place = belief.state[self.slot, :2] + TOWARDS_TOP * (self.tries % 3) * belief.height[self.slot] * axis[:2]
        rise = float(np.linalg.norm(belief.outline[self.slot], axis=1).min())
        thick = _width(belief, self.slot, heading, rise - DEEP)
        if thick > self.hand.opening[1] - 0.006:
            self.reason = f"it is {1000 * thick:.0f} mm thick, the hand opens {1000 * self.hand.opening[1]:.0f} mm"
            return False
        yaw = float(half_turned(heading, self.lower[3], self.upper[3]))  # the fingers close across its length
        # Pitched forwards the hand turns its own x axis down: the object's top must go up.
        along = np.cos(yaw - heading)
        self._pitch = -np.sign(along) * min(abs(self.lower[4]), self.upper[4], np.pi / 2)
        top = float(belief.state[self.slot, 2]) + rise
        tip = max(LOW, top - DEEP, self.lower[2])
        at = np.array([*place, tip, yaw, 0.0, self.hand.opening[1]])
        others = [prism for other, prism in enumerate(prisms) if other != self.slot]
        if (
            (at < self.lower - 1e-6).any()
            or (at > self.upper + 1e-6).any()
            or least_gap(self.hand, at[None], others)[0] < 0.003
        ):
            return False
        high = at.copy()
        high[2] = min(self.upper[2], max([prism.top for prism in prisms]) + 0.03)
        rise = tool.copy()
        rise[2], rise[OPENING], rise[4] = max(tool[2], high[2]), self.hand.opening[1], 0.0
        self._way, self.stage, self._waited = [rise, high, at], Stage.APPROACH, 0
        self.tries += 1
        return True

    def step(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        """Displacement (6,) of the hand in the next step."""
        if self.stage is Stage.APPROACH:
            while self._way and there(tool, self._way[0]):
                self._way.pop(0)
            if self._way:
                return next_move(tool, self._way[0], self.limit)
            self.stage = Stage.CLOSE
        if self.stage is Stage.CLOSE:
            self._waited += 1
            if self._waited <= CLOSING:
                return grip(tool, self.hand.opening[0], self.limit)
            lifted = tool.copy()
            lifted[2] = min(self.upper[2], tool[2] + LIFT)
            self._way, self.stage = [lifted], Stage.LIFT
        if self.stage is Stage.LIFT:
            if not there(tool, self._way[0]):
                return next_move(tool, self._way[0], self.limit)
            if belief.state[self.slot, 2] < LIFT / 2:
                self.stage, self.reason = Stage.FAILED, "it slipped out of the hand"
                return grip(tool, self.hand.opening[1], self.limit)
            turned = tool.copy()
            turned[4] = np.clip(self._pitch, self.lower[4], self.upper[4])
            self._way, self.stage = [turned], Stage.TURN
        if self.stage is Stage.TURN:
            if not there(tool, self._way[0]):
                return SLOW * next_move(tool, self._way[0], self.limit)
            lowest = belief.state[self.slot, 2] - belief.height[self.slot] / 2
            down = tool.copy()
            palm = self.hand.palm[0] / 2 + SIDE_ROOM + abs(self.hand.palm_position[0])
            down[2] = max(tool[2] - float(lowest) + ABOVE_TABLE, palm * abs(np.sin(tool[4])) - 0.07 * np.cos(tool[4]))
            self._way, self.stage = [np.clip(down, self.lower, self.upper)], Stage.LOWER
        if self.stage is Stage.LOWER:
            if not there(tool, self._way[0]):
                return SLOW * next_move(tool, self._way[0], self.limit)
            self.stage, self._waited = Stage.RELEASE, 0
        if self.stage is Stage.RELEASE:
            self._waited += 1
            if self._waited <= RELEASING:
                return grip(tool, self.hand.opening[1], self.limit)
            back = tool.copy()
            pointing = -np.sign(tool[4]) * np.array([np.cos(tool[3]), np.sin(tool[3])])
            back[:2] = np.clip(tool[:2] - 0.1 * pointing, self.lower[:2], self.upper[:2])
            up = back.copy()
            up[2], up[4] = min(self.upper[2], tool[2] + 0.12), 0.0
            self._way, self.stage = [back, up], Stage.RETREAT
        if self.stage is Stage.RETREAT:
            while self._way and there(tool, self._way[0]):
                self._way.pop(0)
            if self._way:
                return next_move(tool, self._way[0], self.limit)
            self.stage = Stage.DONE
        return np.zeros(6)


def _axis(belief: SceneBelief, slot: int) -> np.ndarray:
    """The object's own z axis (3,) in the table frame."""
    return Rotation.from_quat(belief.state[slot, ROTATION]).apply([0.0, 0.0, 1.0])


def _width(belief: SceneBelief, slot: int, heading: float, above: float) -> float:
    """How wide [m] an object that lies is across a heading, of all that is higher over its position than `above` [m]: a handle at its
    side is not between the fingers.
    """
    places = belief.ends(slot)
    high = places[places[:, 2] > above]
    return float(np.ptp(high[:, 1] * np.cos(heading) - high[:, 0] * np.sin(heading)))
