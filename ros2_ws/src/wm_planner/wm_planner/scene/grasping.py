"""Pick an object up and put it where it shall be: which grasp, the way there, and what to do when it slips.

Each stage ends when the hand is there and what it holds is as expected; what goes wrong is tried again with another grasp.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wm_core.hand import OPENING, Hand, half_turned
from wm_core.outline import turned
from wm_core.rotations import wrapped
from wm_dynamics.scene_belief import SceneBelief
from wm_planner.scene.clearance import Prism, hand_gaps, least_gap
from wm_planner.scene.grasps import Grasp, library
from wm_planner.scene.stages import Stage
from wm_planner.scene.targets import Target
from wm_planner.scene.travel import grip, next_move, there

LOW = 0.014  # [m] of the tip over what the object stands on
DEEP = 0.022  # [m] that the tip is below the object's top, where it can be
PALM_ROOM = 0.004  # [m] between palm and the object's top
BESIDE = 0.004  # [m] between open fingers and other objects
LIFTED = 0.012  # [m] that an object has risen when it is held
OVER = 0.018  # [m] above what is carried over
ABOVE_REST = 0.004  # [m] at which an object is let go
INTO = 0.007  # [m] above the bottom of a box at which it is let go
DROPPED = 0.03  # [m] that what is held has moved in the hand
RETREAT = 0.06  # [m] upwards after letting go
CLOSING, OPENING_STEPS = 4, 3  # steps
PATIENCE = 3  # steps in which what is held may rise later than the hand
TURNED_IN_HAND = 0.5  # [rad] by which what is held may have turned in the hand
LEAST_TURN = 0.3  # [rad] for which something is picked up that must be picked up again
AGAIN = 0.02  # [m] of doubt for each [rad] that is left for another grasp
PLACE_YAWS = 8  # of a free yaw that are tried


@dataclass
class PickAndPlace:
    """One object from where it is to its target; `step` says what the hand does next."""

    hand: Hand
    target: Target
    lower: np.ndarray  # (6,) of tool states
    upper: np.ndarray
    limit: np.ndarray  # (6,) of a step
    stage: Stage = Stage.APPROACH
    reason: str = ""  # why it failed
    held: np.ndarray | None = None  # (4,) of the object in the hand: x, y, z, yaw
    tries: int = 0
    _library: list[Grasp] | None = None  # made once
    _avoided: list[Grasp] = field(default_factory=list)
    _grasp: Grasp | None = None
    _way: list[np.ndarray] = field(default_factory=list)
    _waited: int = 0
    _rest: float = 0.0
    _place_yaw: float = np.nan

    def choose(self, belief: SceneBelief, tool: np.ndarray, prisms: Sequence[Prism]) -> bool:
        """A grasp that the hand gets to and can let go at the target; False where there is none."""
        slot = self.target.slot
        others = [prism for other, prism in enumerate(prisms) if other != slot]
        best: tuple[float, Grasp, np.ndarray, float] | None = None
        if self._library is None:
            self._library = library(belief.outline[slot], self.hand)
        for grasp in self._library:
            if any(grasp is each or _alike(grasp, each) for each in self._avoided):
                continue
            at = self._over(belief, grasp)
            if at is None or (at < self.lower - 1e-6).any() or (at > self.upper + 1e-6).any():
                continue
            if least_gap(self.hand, at[None], others)[0] < BESIDE:
                continue
            place_yaw = self._placing(belief, grasp, at, prisms)
            if place_yaw is None:
                continue
            turn = abs(at[3] - tool[3]) + abs(place_yaw - at[3])
            left = (
                float(wrapped(self.target.yaw - belief.yaw[slot] - place_yaw + at[3]))
                if np.isfinite(self.target.yaw)
                else 0.0
            )
            cost = grasp.doubt + 0.01 * turn + AGAIN * abs(left)
            if best is None or cost < best[0]:
                best = cost, grasp, at, place_yaw
        if best is None:
            return False
        _, self._grasp, at, self._place_yaw = best
        top = max([prism.top for prism in prisms]) + OVER
        high = at.copy()
        high[2] = min(self.upper[2], max(float(belief.top[slot]) + 0.03 + self.hand.reach_below, at[2] + 0.03))
        travel = high.copy()
        travel[2] = min(self.upper[2], max(high[2], top + self.hand.reach_below))
        rise = tool.copy()
        rise[2], rise[OPENING] = max(tool[2], travel[2]), self.hand.opening[1]
        self._way = [rise, travel, high, at]
        self._rest = float(belief.bottom[slot])
        self.stage, self.tries, self._waited = Stage.APPROACH, self.tries + 1, 0
        return True

    def step(self, belief: SceneBelief, tool: np.ndarray, prisms: Sequence[Prism]) -> np.ndarray:
        """Displacement (6,) of the hand in the next step; `stage` says whether it is done or has failed."""
        slot = self.target.slot
        if self.stage is Stage.APPROACH:
            self._way[-1] = self._corrected(belief, self._way[-1])
            while len(self._way) > 1 and there(tool, self._way[0]):
                self._way.pop(0)
            if len(self._way) > 1 or not there(tool, self._way[0]):
                return next_move(tool, self._way[0], self.limit)
            self.stage, self._waited = Stage.CLOSE, 0
        if self.stage is Stage.CLOSE:
            self._waited += 1
            if self._waited <= CLOSING:
                return grip(tool, self.hand.opening[0], self.limit)
            self.stage, self._waited = Stage.LIFT, 0
            self._way = [self._raised(tool, 0.03)]
        if self.stage is Stage.LIFT:
            if not there(tool, self._way[0]):
                return next_move(tool, self._way[0], self.limit)
            if belief.bottom[slot] < self._rest + LIFTED:  # the arm may still be on its way
                self._waited += 1
                return self._slipped(tool) if self._waited > PATIENCE else np.zeros(6)
            self.held = _in_hand(belief, slot, tool)
            self.stage = Stage.CARRY
            self._way = self._carrying(belief, tool, prisms)
        if self.stage in (Stage.CARRY, Stage.LOWER):
            now = _in_hand(belief, slot, tool)
            assert self.held is not None
            if np.linalg.norm(now[:3] - self.held[:3]) > DROPPED:
                return self._slipped(tool)
            self.held += 0.15 * (now - self.held) * [1, 1, 1, 0] if self.stage is Stage.CARRY else 0.0
            while self._way and there(tool, self._way[0]):
                self._way.pop(0)
                if (
                    len(self._way) == 1 and self.stage is Stage.CARRY
                ):  # over the place: by where it is in the hand by now
                    self._way = [self._at_rest(belief, tool)]
                    self.stage = Stage.LOWER
            if self._way:
                return next_move(tool, self._way[0], self.limit)
            self.stage, self._waited = Stage.RELEASE, 0
        if self.stage is Stage.RELEASE:
            self._waited += 1
            if self._waited <= OPENING_STEPS:
                return grip(tool, self.hand.opening[1], self.limit)
            self.stage = Stage.RETREAT
            self._way = [self._raised(tool, RETREAT)]
            self._way[0][OPENING] = self.hand.opening[1]
        if self.stage is Stage.RETREAT:
            if not there(tool, self._way[0]):
                return next_move(tool, self._way[0], self.limit)
            self.stage = Stage.DONE
        return np.zeros(6)

    def give_up(self, reason: str) -> None:
        """Not with this grasp."""
        if self._grasp is not None:
            self._avoided.append(self._grasp)
        self.stage, self.held, self.reason = Stage.FAILED, None, reason

    # -- inside --------------------------------------------------------------------------------------------------

    def _over(self, belief: SceneBelief, grasp: Grasp) -> np.ndarray | None:
        """Tool state (6,) in which the fingers stand around the object, open; None where it is too low or too tall."""
        slot = self.target.slot
        place = belief.state[slot, :2] + turned(grasp.place, float(belief.yaw[slot]))
        bottom, top = float(belief.bottom[slot]), float(belief.top[slot])
        low = max(bottom + LOW, top - self.hand.palm_height + PALM_ROOM)
        tip = max(low, top - DEEP)
        if tip > top - 0.004:
            return None
        yaw = float(half_turned(belief.yaw[slot] + grasp.yaw, self.lower[3], self.upper[3]))
        return np.array([*place, max(tip, self.lower[2]), yaw, 0.0, self.hand.opening[1]])

    def _corrected(self, belief: SceneBelief, at: np.ndarray) -> np.ndarray:
        """The same grasp, as the object is believed by now."""
        assert self._grasp is not None
        again = self._over(belief, self._grasp)
        if again is None or np.linalg.norm(again[:2] - at[:2]) > 0.03:
            return at
        return np.clip(again, self.lower, self.upper)

    def _placing(self, belief: SceneBelief, grasp: Grasp, at: np.ndarray, prisms: Sequence[Prism]) -> float | None:
        """Yaw of the hand with which it can let go at the target; None where it would hit something."""
        slot, target = self.target.slot, self.target
        if np.isfinite(target.yaw):
            yaws = self._turned_hands(float(at[3]), float(wrapped(target.yaw - belief.yaw[slot])))
        else:
            spread = np.linspace(-np.pi / 2, np.pi / 2, PLACE_YAWS, endpoint=False)
            yaws = sorted((at[3] + spread).tolist(), key=lambda yaw: abs(yaw - at[3]))
        for yaw in yaws:
            if not self.lower[3] <= yaw <= self.upper[3]:
                continue
            off = turned(grasp.place, float(belief.yaw[slot]) + yaw - at[3])
            place = at.copy()
            place[:2], place[3] = target.place + off, yaw
            place[2] = at[2] - float(belief.bottom[slot]) + target.rest_height(belief)
            if (place[:2] < self.lower[:2]).any() or (place[:2] > self.upper[:2]).any() or place[2] > self.upper[2]:
                continue
            clear = [
                hand_gaps(self.hand, place[None], prism)[0]
                for other, prism in enumerate(prisms)
                if other not in (slot, target.on)
            ]
            if not clear or min(clear) > BESIDE:
                return yaw
        return None

    def _turned_hands(self, yaw: float, turn: float) -> list[float]:
        """Yaws of the hand with which the object has turned by `turn` [rad], from `yaw` on. Where the hand does not get so far: as far as
        it gets, and the rest with another grasp.
        """
        low, high = float(self.lower[3]), float(self.upper[3])
        whole = [each for each in (yaw + turn, yaw + turn - 2 * np.pi, yaw + turn + 2 * np.pi) if low <= each <= high]
        if whole:
            return whole
        left = {bound: abs(float(wrapped(turn - bound + yaw))) for bound in (low, high)}
        return [bound for bound in sorted(left, key=lambda each: left[each]) if left[bound] < abs(turn) - LEAST_TURN]

    def _carrying(self, belief: SceneBelief, tool: np.ndarray, prisms: Sequence[Prism]) -> list[np.ndarray]:
        """Up, across and down to where it is let go."""
        slot, target = self.target.slot, self.target
        below = tool[2] - float(belief.bottom[slot])  # from the tip to the bottom of what is held
        highest = max([prism.top for other, prism in enumerate(prisms) if other != slot], default=0.0)
        high = min(
            self.upper[2], max(tool[2] + 0.03, highest + OVER + below, target.rest_height(belief) + OVER + below)
        )
        up = tool.copy()
        up[2] = high
        rest = self._at_rest(belief, tool)
        over = rest.copy()
        over[2] = high
        return [up, over, rest]

    def _at_rest(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        """Tool state (6,) in which what is held is where it shall be."""
        slot, target = self.target.slot, self.target
        assert self.held is not None
        yaw = self._place_yaw
        if np.isfinite(target.yaw):
            off_by = float(wrapped(target.yaw - self.held[3] - self._place_yaw))
            yaw = yaw + off_by if abs(off_by) < TURNED_IN_HAND else yaw
        off = turned(self.held[:2], yaw)
        above = INTO if target.within else ABOVE_REST
        below = tool[2] - float(belief.bottom[slot])
        at = np.array([*(target.place - off), target.rest_height(belief) + below + above, yaw, 0.0, tool[OPENING]])
        return np.clip(at, self.lower, self.upper)

    def _slipped(self, tool: np.ndarray) -> np.ndarray:
        self.give_up("it slipped out of the hand")
        return grip(tool, self.hand.opening[1], self.limit)

    def _raised(self, tool: np.ndarray, by: float) -> np.ndarray:
        raised = tool.copy()
        raised[2] = min(self.upper[2], tool[2] + by)
        return raised


def _in_hand(belief: SceneBelief, slot: int, tool: np.ndarray) -> np.ndarray:
    """Where an object is in the hand (4,): x, y, z [m], yaw [rad]."""
    off = belief.state[slot, :3] - tool[:3]
    return np.array([*turned(off[:2], -float(tool[3])), off[2], belief.yaw[slot] - tool[3]])


def _alike(one: Grasp, other: Grasp) -> bool:
    return bool(np.linalg.norm(one.place - other.place) < 0.01 and abs(np.sin(one.yaw - other.yaw)) < 0.3)
