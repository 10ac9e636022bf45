"""Scripts that see the truth, and random motions: what learned planning is held against."""

from collections.abc import Sequence

import numpy as np

from wm_core.goal import Goal, GoalError, ZoneGoal
from wm_core.hand import Hand, half_turned
from wm_core.rotations import wrapped
from wm_core.scene import SceneState
from wm_dynamics.scene_belief import SceneBelief
from wm_planner.scene import grasping, righting
from wm_planner.scene.clearance import prisms
from wm_planner.scene.order import next_target
from wm_planner.scene.targets import TABLE, Aim, Target, aim_of
from wm_planner.scene.travel import next_move, route, there

LOW = 0.02  # [m] of the tip over the table
CLEAR = 0.012  # [m] between hand and object before a push
STROKE = 0.04  # [m] that a push goes at most before it is looked at again
TURN_FIRST = 0.06  # [rad] above which it is turned before it is moved
ENOUGH = 0.6  # share of a tolerance
SLOW = 0.012  # [m] a step


class ScriptedExpert:
    """Pushes behind the middle towards the place, turns by pushing at an end; picks up what has to be lifted; sets upright."""

    def __init__(
        self,
        hand: Hand,
        lower: np.ndarray,
        upper: np.ndarray,
        limit: np.ndarray,
        axes: Sequence[str],
        region: tuple[np.ndarray, np.ndarray],
    ) -> None:
        self._hand, self._lower, self._upper, self._limit = hand, lower, upper, limit
        self._grips = {"z", "grip"} <= set(axes) and hand.grips
        self._region = region
        self.reset()

    def reset(self) -> None:
        self._aim: Aim | None = None
        self._job: grasping.PickAndPlace | righting.Righting | None = None
        self._way: list[np.ndarray] = []
        self._stroke: tuple[np.ndarray, int] | None = None
        self._rng = np.random.default_rng(0)
        self._waited = 0

    def __call__(self, scene: SceneState, tool: np.ndarray, goal: Goal) -> np.ndarray:
        """The displacement (6,) of the tool; NaN: it is done, or can do no more."""
        belief = SceneBelief.of(scene)
        if self._aim is None:
            try:
                self._aim = aim_of(goal, belief, *self._region)
            except GoalError:
                return np.full(6, np.nan)
        if self._job is not None:
            return self._go_on(belief, tool)
        if _slides(goal, belief):
            return self._block(belief, tool)
        target = next_target(self._aim, belief, ENOUGH, self._region)
        if target is None:
            return self._leave(tool)
        if (
            target.upright
            or (self._grips and target.on != TABLE)
            or (self._grips and self._stroke is None and not self._way)
        ):
            move = self._begin(belief, tool, target)
            if move is not None:
                return move
        return self._push(belief, tool, target)

    # -- inside --------------------------------------------------------------------------------------------------

    def _begin(self, belief: SceneBelief, tool: np.ndarray, target: Target) -> np.ndarray | None:
        job: grasping.PickAndPlace | righting.Righting
        if target.upright:
            job = righting.Righting(self._hand, target.slot, self._lower, self._upper, self._limit)
        else:
            job = grasping.PickAndPlace(self._hand, target, self._lower, self._upper, self._limit)
        if not job.choose(belief, tool, prisms(belief)):
            return np.full(6, np.nan) if target.upright or target.on != TABLE else None
        self._job = job
        return self._go_on(belief, tool)

    def _go_on(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        job = self._job
        assert job is not None
        held = () if isinstance(job, righting.Righting) else (prisms(belief),)
        move = job.step(belief, tool, *held)
        if job.stage.ended:
            self._job = None
        return move

    def _push(self, belief: SceneBelief, tool: np.ndarray, target: Target) -> np.ndarray:
        """Travel behind it, then a stroke, again and again."""
        if self._stroke is not None and not self._way:
            along, left = self._stroke
            self._stroke = (along, left - 1) if left > 1 else None
            return along
        if self._stroke is None:
            start, along, steps = self._next_stroke(belief, target)
            self._way = route(self._hand, tool, start, prisms(belief), self._lower, self._upper, self._rng)
            self._stroke = (along, steps)
        while self._way and there(tool, self._way[0]):
            self._way.pop(0)
        return next_move(tool, self._way[0], self._limit) if self._way else np.zeros(6)

    def _next_stroke(self, belief: SceneBelief, target: Target) -> tuple[np.ndarray, np.ndarray, int]:
        """Tool state before it, displacement in each step, and how many steps."""
        slot = target.slot
        place, outline = belief.state[slot, :2], belief.footprint(slot)
        turn = float(wrapped(target.yaw - belief.yaw[slot])) if np.isfinite(target.yaw) else 0.0
        off = target.place - place
        if abs(turn) > TURN_FIRST and np.isfinite(target.yaw_tolerance):
            end = outline[int(np.argmax(np.linalg.norm(outline - place, axis=1)))]
            arm = end - place
            along = np.sign(turn) * np.array([-arm[1], arm[0]]) / np.linalg.norm(arm)
            through = place + 0.8 * arm
            length = min(STROKE, 0.7 * abs(turn) * float(np.linalg.norm(arm)))
        else:
            far = float(np.linalg.norm(off))
            along, through, length = off / max(far, 1e-6), place, min(STROKE, far)
        behind = ((outline - through) @ along).min()
        tip = max(LOW, float(belief.top[slot]) - self._hand.palm_height + 0.004)
        yaw = float(half_turned(np.arctan2(along[1], along[0]), self._lower[3], self._upper[3]))
        start = np.array([*(through + along * (behind - self._hand.finger[0] / 2 - CLEAR)), tip, yaw, 0.0, 0.0])
        steps = max(1, round((length + CLEAR) / SLOW))
        move = np.zeros(6)
        move[:2] = along * (length + CLEAR) / steps
        return np.clip(start, self._lower, self._upper), move, steps

    def _block(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        """Go in front of what slides."""
        speed = np.linalg.norm(belief.state[:, 7:9], axis=1)
        slot = int(np.argmax(speed))
        along = belief.state[slot, 7:9] / max(float(speed[slot]), 1e-6)
        ahead = belief.state[slot, :2] + along * (belief.radius[slot] + 0.05 + 0.25 * speed[slot])
        yaw = float(half_turned(np.arctan2(along[1], along[0]), self._lower[3], self._upper[3]))
        return next_move(tool, np.clip(np.array([*ahead, LOW, yaw, 0, 0]), self._lower, self._upper), self._limit)

    def _leave(self, tool: np.ndarray) -> np.ndarray:
        self._waited += 1
        if self._waited > 4:
            return np.full(6, np.nan)
        move = np.zeros(6)
        move[2] = min(0.03, self._upper[2] - tool[2])
        return move


class RandomMotions:
    """Anywhere, smoothly: the floor."""

    def __init__(self, limit: np.ndarray, seed: int) -> None:
        self._limit, self._rng = limit, np.random.default_rng(seed)
        self._move = np.zeros(6)

    def __call__(self, scene: SceneState, tool: np.ndarray, goal: Goal) -> np.ndarray:
        self._move = 0.7 * self._move + 0.5 * self._rng.normal(0, 1, 6) * self._limit
        move = np.clip(self._move, -self._limit, self._limit)
        move[2] = np.clip(0.03 - tool[2], -self._limit[2], self._limit[2])
        move[4] = -tool[4]
        return move


def _slides(goal: Goal, belief: SceneBelief) -> bool:
    return any(isinstance(each, ZoneGoal) for each in goal.parts) and bool(
        (np.linalg.norm(belief.state[:, 7:9], axis=1) > 0.03).any()
    )
