"""Plans for scenes in two levels: what to touch and how, then the search around it while it is done. One cycle is one call of `plan`."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from wm_core.goal import Goal, GoalError
from wm_core.hand import Hand
from wm_core.specs_schema import AXES
from wm_dynamics.scene_belief import STANDS, SceneBelief
from wm_dynamics.scene_model import SceneDynamics
from wm_planner.scene import grasping, righting
from wm_planner.scene.clearance import Prism, prisms
from wm_planner.scene.decision import Mode, SceneDecision, SceneSettings
from wm_planner.scene.intercept import intercept, sliding
from wm_planner.scene.order import next_target
from wm_planner.scene.pushing import WORTH, Limits, Pushing
from wm_planner.scene.stall import Stall, way_out
from wm_planner.scene.targets import TABLE, Aim, Target, aim_of
from wm_planner.scene.travel import next_move

ENOUGH = 0.65  # share of a tolerance within which a target counts as reached
STAYS = 0.75  # the same, of one that was reached before
WITHIN = 0.98  # the same, where nothing brings it nearer
HELD_CYCLES = 15  # in which all targets are reached until the goal is: noise is averaged meanwhile
IDLE_GAIN = 0.0004  # [m] by which what a push must gain is lowered with each time that nothing was found
LEAST_WORTH = 0.0004  # [m]
STUCK = 20  # times that nothing was found, after which the goal is given up
AWAY = 0.1  # [m] that the hand rises when all is done
BACK_OFF = 0.02  # [m] away from what was pushed
MOST_TRIES = 6  # of a grasp
KEPT_ON = Mode.PICK, Mode.RIGHT  # what goes on when an object has come


class ScenePlanner:
    """Pursues one goal at a time. `lower`, `upper` (6,): of tool states; `region`: lower and upper corner (2,) of where objects may be;
    `fixtures`: what stands still; `reaches`: whether the arm can hold the tool in a state (6,).
    """

    def __init__(
        self,
        model: SceneDynamics,
        hand: Hand,
        lower: np.ndarray,
        upper: np.ndarray,
        region: tuple[np.ndarray, np.ndarray],
        settings: SceneSettings | None = None,
        *,
        fixtures: Sequence[Prism] = (),
        reaches: Callable[[np.ndarray], bool] = lambda tool: True,
        seed: int = 0,
    ) -> None:
        self.model, self.hand, self.settings = model, hand, settings or SceneSettings()
        lower, upper = np.array(lower, float), np.array(upper, float)
        if "pitch" not in self.settings.axes:
            lower[AXES.index("pitch")] = upper[AXES.index("pitch")] = 0.0
        self._limits, self._fixtures, self._reaches = Limits(lower, upper, region), tuple(fixtures), reaches
        self._rng = np.random.default_rng(seed)
        self.aim: Aim | None = None
        self.mode = Mode.DONE

    def pursue(self, goal: Goal, belief: SceneBelief) -> None:
        """From now on; raises GoalError for a goal that cannot be met, and keeps the one before."""
        self.aim = aim_of(goal, belief, *self._limits.region, self._fixtures)
        self._goal, self._known = goal, belief.identities
        self.mode, self._idle, self._reached, self._slot, self._reason = Mode.CHOOSE, 0, 0, -1, ""
        self._content = False
        self._stall = Stall()
        settings = self.settings
        self._pushing = Pushing(
            self.model,
            self.hand,
            self._limits,
            self._fixtures,
            settings.proposals,
            settings.looks,
            settings.search,
            settings.weights,
            settings.refining,
            "pitch" in settings.axes,
            self._rng,
            self._reaches,
        )
        self._picks: dict[int, grasping.PickAndPlace] = {}
        self._rights: dict[int, righting.Righting] = {}

    def plan(
        self, belief: SceneBelief, tool: np.ndarray, before: np.ndarray, deadline_s: float | None = None
    ) -> SceneDecision:
        """The next displacement of the tool (6,); `before`: the last one; `deadline_s`: time.monotonic() at which to be ready."""
        if self.aim is None:
            raise ValueError("expected a goal to pursue first, got none")
        began = time.perf_counter()
        tool = np.asarray(tool, float)
        if self._changed(belief):
            try:
                self.pursue(self._goal, belief)
            except GoalError as error:
                return SceneDecision(self._fail(str(error)), self.mode, -1, self._reason, {}, 0.0)
        self._deadline_s, self.aim = deadline_s, self.aim.at(belief)
        move = np.clip(self._step(self.aim, belief, tool, before), -self.model.limit, self.model.limit)
        if self._stall.noticed(tool, move):
            move = self._give_way(belief, tool)
        move = np.clip(tool + move, self._limits.lower, self._limits.upper) - tool
        self._stall.remember(tool, move)
        return SceneDecision(
            move,
            self.mode,
            self._slot,
            self._reason,
            self.aim.progress(belief),
            1e3 * (time.perf_counter() - began),
            self._pushing.chosen,
        )

    def _left(self) -> float:
        """[s] until the deadline of this cycle."""
        return np.inf if self._deadline_s is None else self._deadline_s - time.monotonic()

    def _changed(self, belief: SceneBelief) -> bool:
        """Whether other objects are there than before, so that all is thought over; what is in the hand is put down first."""
        if self.mode in (Mode.DONE, Mode.FAILED) or belief.identities == self._known:
            return False
        appended = belief.identities[: len(self._known)] == self._known
        return not (appended and self.mode in KEPT_ON)

    def _give_way(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        """Leave what the arm cannot do, and look for another way from higher up."""
        self._idle += 1
        if self.mode is Mode.PICK:
            self._picks[self._slot].give_up("the arm does not get there")
        self._pushing.avoid()
        if self._idle > STUCK:
            return self._fail("the arm does not get to where it could be moved from")
        self.mode = Mode.CHOOSE
        self._pushing.begin()
        beside = belief.state[self._slot, :2] if self._slot >= 0 else None
        return way_out(tool, beside, self._limits.lower, self._limits.upper, up=self._idle % 2 == 1)

    # -- modes ---------------------------------------------------------------------------------------------------

    def _step(self, aim: Aim, belief: SceneBelief, tool: np.ndarray, before: np.ndarray) -> np.ndarray:
        if self.mode in (Mode.DONE, Mode.FAILED):
            return np.zeros(6)
        if gone := [target.slot for target in aim.targets if not belief.present[target.slot]]:
            return self._fail(f"'{belief.identities[gone[0]]}' has fallen off the table")
        if self.mode not in (Mode.PICK, Mode.RIGHT):
            fallen = aim.fallen(belief)
            if fallen and not (self._grips and "pitch" in self.settings.axes):
                return self._fail(f"'{belief.identities[fallen[0]]}' has fallen over")
            if self.mode is not Mode.PUSH and (moving := sliding(belief, aim)):
                return self._intercept(aim, belief, tool, before, moving[0])
            if not fallen and not aim.open(belief, self._margin):
                return self._arrived(tool)
        self._reached = 0
        for _ in range(4):  # a mode may end at once, and another begin
            move = self._in_mode(aim, belief, tool, before)
            if move is not None:
                return move
        return np.zeros(6)

    def _in_mode(self, aim: Aim, belief: SceneBelief, tool: np.ndarray, before: np.ndarray) -> np.ndarray | None:
        """The next displacement (6,), None where another mode has begun."""
        if self.mode is Mode.TRAVEL:
            move = self._pushing.travel(tool)
            if move is None:
                self.mode, self._idle = Mode.PUSH, 0
            return move
        if self.mode is Mode.PUSH:
            move = self._pushing.push(belief, aim, tool, before, lambda: self._left() < 0)
            return self._back_off(belief, tool) if move is None else move
        if self.mode is Mode.PICK:
            return self._pick(belief, tool)
        if self.mode is Mode.RIGHT:
            return self._right(belief, tool)
        return self._choose(aim, belief, tool)

    @property
    def _grips(self) -> bool:
        return {"z", "grip"} <= set(self.settings.axes) and self.hand.grips

    @property
    def _margin(self) -> float:
        """Share of the tolerances within which all is reached now."""
        if self._content:
            return WITHIN
        return STAYS if self._reached else ENOUGH

    def _arrived(self, tool: np.ndarray) -> np.ndarray:
        """All targets are reached: leave, and say so after some cycles."""
        self._reached += 1
        self.mode = Mode.LEAVE
        if self._reached == 1:
            self._leave_at = min(tool[2] + AWAY, float(self._limits.upper[2]))
        if self._reached > HELD_CYCLES and tool[2] > self._leave_at - 0.005:
            self.mode = Mode.DONE
        away = tool.copy()
        away[2] = self._leave_at if self._reached > 2 else tool[2]  # at first: does it stay?
        return next_move(tool, away, self.model.limit)

    def _choose(self, aim: Aim, belief: SceneBelief, tool: np.ndarray) -> np.ndarray | None:
        self.mode = Mode.CHOOSE
        target: Target | None
        if fallen := aim.fallen(belief):  # first of all, for what lies is hard to move
            target = Target(fallen[0], belief.state[fallen[0], :2].copy(), upright=True)
        else:
            target = next_target(aim, belief, ENOUGH, self._limits.region, self._fixtures)
        if target is None:
            return self._nothing(aim, belief, tool)
        if target.upright:
            return None if self._begin_righting(belief, tool, target) else self._nothing(aim, belief, tool)
        if self._wants_grasp(belief, target) and self._begin_pick(belief, tool, target):
            return None
        if target.on != TABLE:
            return self._nothing(aim, belief, tool)
        if self._pushing.looked == 0:
            self.aim = aim = aim.with_ways(belief, [*prisms(belief), *self._fixtures], self._limits.region)
        pushed = [each for each in aim.open(belief, ENOUGH) if each.on == TABLE and not each.upright]
        if target.slot not in [each.slot for each in pushed]:  # what is in the way is put aside first
            pushed = [target]
        if not self._pushing.ready:  # to decide between proposals takes a cycle of its own
            self._pushing.look(belief, aim, pushed, tool, self._left(), anywhere=self._idle > STUCK // 4)
            return np.zeros(6)
        worth = max(WORTH - IDLE_GAIN * self._idle, LEAST_WORTH)
        if not self._pushing.take(belief, aim, tool, worth, boldly=self._idle > STUCK // 2):
            return self._nothing(aim, belief, tool)
        self.mode, self._slot = Mode.TRAVEL, self._pushing.slot
        return None

    def _wants_grasp(self, belief: SceneBelief, target: Target) -> bool:
        if target.on != TABLE and not self._grips:
            self._reason = "nothing here can lift it"
        tries = self._picks[target.slot].tries if target.slot in self._picks else 0
        stands = bool(belief.upright[target.slot] > STANDS)
        return self._grips and stands and tries < MOST_TRIES

    def _nothing(self, aim: Aim, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        """Nothing worth doing was found: look again from higher up, give up at last."""
        self._idle += 1
        self._pushing.begin()
        if self._idle > STUCK:
            return self._fail(self._reason or "no motion was found that brings it nearer")
        if self._idle > STUCK // 2 and not aim.open(belief, WITHIN):
            self._content = True  # nothing brings it nearer, and it is near enough
            return self._arrived(tool)
        move = np.zeros(6)
        move[2] = 0.02 if self._idle % 3 == 1 and tool[2] < 0.12 else 0.0
        return move

    def _back_off(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        """A little away from what was pushed; then choose anew."""
        self.mode = Mode.CHOOSE
        self._pushing.begin()
        off = tool[:2] - belief.state[self._slot, :2]
        move = np.zeros(6)
        move[:2] = BACK_OFF * off / max(float(np.linalg.norm(off)), 1e-6)
        return move

    # -- grasping ------------------------------------------------------------------------------------------------

    def _begin_pick(self, belief: SceneBelief, tool: np.ndarray, target: Target) -> bool:
        limits = self._limits
        pick = self._picks.setdefault(
            target.slot, grasping.PickAndPlace(self.hand, target, limits.lower, limits.upper, self.model.limit)
        )
        pick.target = target
        if not pick.choose(belief, tool, [*prisms(belief), *self._fixtures]):
            return False
        self.mode, self._slot = Mode.PICK, target.slot
        return True

    def _pick(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        pick = self._picks[self._slot]
        move = pick.step(belief, tool, [*prisms(belief), *self._fixtures])
        if pick.stage.ended:
            self.mode = Mode.CHOOSE
        return move

    def _begin_righting(self, belief: SceneBelief, tool: np.ndarray, target: Target) -> bool:
        limits = self._limits
        right = self._rights.setdefault(
            target.slot, righting.Righting(self.hand, target.slot, limits.lower, limits.upper, self.model.limit)
        )
        if right.tries >= MOST_TRIES or not right.choose(belief, tool, [*prisms(belief), *self._fixtures]):
            self._reason = right.reason or "the hand cannot get around it"
            return False
        self.mode, self._slot = Mode.RIGHT, target.slot
        return True

    def _right(self, belief: SceneBelief, tool: np.ndarray) -> np.ndarray:
        right = self._rights[self._slot]
        move = right.step(belief, tool)
        if right.stage.ended:
            self.mode = Mode.CHOOSE
        return move

    # -- inside --------------------------------------------------------------------------------------------------

    def _intercept(self, aim: Aim, belief: SceneBelief, tool: np.ndarray, before: np.ndarray, slot: int) -> np.ndarray:
        context = self._pushing.context(belief, aim, slot)
        limits = self._limits
        move = intercept(self.model, belief, aim, context, tool, before, limits.lower, limits.upper, slot, self._rng)
        self._slot, self.mode = slot, Mode.CATCH
        self._pushing.begin()
        return np.zeros(6) if move is None else move

    def _fail(self, reason: str) -> np.ndarray:
        self.mode, self._reason = Mode.FAILED, reason
        return np.zeros(6)
