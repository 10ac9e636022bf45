"""The pure MPC controller: belief and goal in, tool motion out. One cycle is one call of `step`."""

import time
from dataclasses import dataclass, replace

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.futures import Futures
from wm_core.goal import ExploreGoal, Goal, GoalError, PoseGoal
from wm_core.scene import ToolState
from wm_dynamics.rollout import RolloutEngine
from wm_planner.costs import CostModel
from wm_planner.delay import predict
from wm_planner.exploration import ExplorationCosts, ExplorationTarget, ExplorationTargets
from wm_planner.goal import LOOK_AFTER
from wm_planner.planners import Planner, PlanResult
from wm_planner.policy import POLICY, Policy
from wm_planner.tool_path import ToolMotion, ToolPath

BLIND_SPEED = 0.05  # share of full speed near an object out of sight: an unseen push drifts by distance, not by time
SAME_PLACE = 0.002  # [m] between where the last command ends and where the next begins
DOUBT_S = 1.2  # [s] what may happen later is planned anew many times before
PLANNED_DOUBT = 0.8  # share of it up to which exploring may plan
DEFER_ABOVE = 0.12  # [m] half a 90 % interval; on ordinary goals plans stay below 0.08
POLICY_TRUST = (
    0.06  # [m] half a 90 % interval; above it planning takes over. Of a policy's decisions 99 % stay below 0.056
)
OVER = 0.02  # [m] above where it works the tool may be over an object, and come down onto it
HALF = 0.5  # of full speed
BLIND_REACH = 0.10  # [m] between tool and believed object; farther off there is nothing to push within a step


@dataclass(frozen=True)
class Decision:
    """What one cycle decided."""

    action: np.ndarray  # (2,) in the unit disk
    motion: ToolMotion
    plan: PlanResult | None  # None when there was nothing to plan
    latent: np.ndarray | None  # (L,) from which was planned
    goal: PoseGoal | ExplorationTarget | None
    delay: float  # [s] compensated
    plan_ms: float
    deferred: bool = False  # the best plan's outcome is too uncertain to execute it
    planner: str = ""  # who made the plan: "policy", or the search


@dataclass(frozen=True)
class Outlook:
    """What a plan is expected to bring; for people and records, the arm does not wait for it."""

    futures: Futures  # of the plan alone (N = 1)
    cost_terms: dict[str, float]
    uncertainty: float  # [m] how far off the object may be, mean along the plan

    @property
    def cost(self) -> float:
        return sum(self.cost_terms.values())


class PlannerCore:
    """Plans in the imagination of one bundle. Keeps the warm start and what was commanded."""

    def __init__(
        self,
        engine: RolloutEngine,
        planner: Planner,
        costs: CostModel,
        tool_path: ToolPath,
        blind_speed: float = BLIND_SPEED,
        defer_above: float = DEFER_ABOVE,
        *,
        speed: float = 1.0,
        policy: Policy | None = None,
        follow: bool = False,
        policy_trust: float = POLICY_TRUST,
    ) -> None:
        """`planner`: searches one action for each instant of the engine's futures; what belongs to a jump is held through it.
        `blind_speed`: share of full speed near an object that is out of sight. `defer_above` [m]: a plan after which the
        object may be farther off than this is not executed. `speed`: share of the actions' full speed, at most 1, that whatever
        it plans keeps to, for the guard lets no more pass. `policy`: the planner searches around what it intends.
        `follow`: what it intends is done without a search, unless the object may soon be farther off than `policy_trust` [m]."""
        if follow and policy is None:
            raise ValueError("expected a policy to follow, got none")
        self._engine = engine
        self._planner = planner
        self._costs = costs
        self._exploration = ExplorationCosts(costs, PLANNED_DOUBT * defer_above, engine.bundle.step_duration)
        self.tool_path = tool_path
        self._speed, self._blind_speed = speed, blind_speed
        self._defer_above = defer_above
        self._policy = policy
        self._follow = follow
        self._policy_trust = policy_trust
        self._spans = engine.spans(planner.horizon)
        self._action = engine.bundle.action
        self._step_ns = round(engine.bundle.step_duration * 1e9)
        # What has been sent: tells where the arm will be when the next command takes effect.
        self.commanded = ExecutedMotion()
        self.reset()

    @property
    def bundle(self) -> Bundle:
        """The bundle that it plans with."""
        return self._engine.bundle

    def reset(self) -> None:
        """Forget the warm start and what was explored, e.g. for a new goal."""
        self._planner.reset()
        self.targets: ExplorationTargets | None = None
        self._warm: np.ndarray | None = None

    def forget(self) -> None:
        """The arm is not where it was sent, e.g. the guard held it: what was commanded is of no use."""
        self.commanded.clear()

    def hold(self, reason: str = "", *, stamp_ns: int = 0, delay: float = 0.0) -> Decision:
        """Stay: no goal, goal reached, or not safe to move."""
        self._warm = None
        motion = self.tool_path.hold(reason)
        self._record(stamp_ns + round(1e9 * delay), motion)
        return Decision(np.zeros(2), motion, None, None, None, delay, 0.0)

    def step(
        self,
        mean: np.ndarray,
        variance: np.ndarray,
        tool: ToolState,
        goal: Goal,
        *,
        stamp_ns: int = 0,
        delay: float = 0.0,
        time_unseen: float = 0.0,
        deadline_s: float | None = None,
    ) -> Decision:
        """One cycle from belief mean and variance (L,) and the measured tool (6,) at `stamp_ns`.

        `delay` [s]: from the belief's stamp to when the command takes effect. `time_unseen` [s]: since the object was
        last seen. Raises PlanningError without finite costs, ValueError on a belief that is not finite, GoalError on a goal
        of a kind that nothing plans for.
        """
        began = time.perf_counter()
        ee = tool.get(self._engine.bundle.state.tool)
        if not (np.isfinite(mean).all() and np.isfinite(variance).all() and np.isfinite(ee).all()):
            raise ValueError("expected a finite belief, got one with NaN or infinity")
        latent = np.asarray(mean, np.float32)
        delay_ns = round(1e9 * delay)
        effective_ns = stamp_ns + delay_ns
        if delay_ns > 0:
            latent = predict(self._engine.bundle, latent, variance, tool, self.commanded, stamp_ns, delay_ns)
            self._continue_at(effective_ns)
        object_xy = self._engine.bundle.state.object_position(latent)
        close = float(np.linalg.norm(object_xy - ee)) < BLIND_REACH
        if self.tool_path.aside:
            return self._return(object_xy, ee, effective_ns, delay)
        if close and time_unseen > LOOK_AFTER:
            return self._back_off(object_xy, ee, effective_ns, delay)
        speed = self._speed if not close or time_unseen == 0 else min(self._blind_speed, self._speed)
        aim = self._aim(goal, object_xy.astype(float), stamp_ns)

        def evaluate(actions: np.ndarray) -> np.ndarray:
            actions = np.float32(speed) * self._each_step(actions)
            return sum(self._terms(self._engine.rollout(latent, actions), actions, aim).values())  # type: ignore[return-value]

        def doubt_of(actions: np.ndarray) -> float:
            """How far off [m] the object may soon be at worst under the actions (n, A) of a plan."""
            futures = self._engine.rollout(latent, np.float32(speed) * self._each_step(actions[None]))
            soon = futures.steps <= max(round(DOUBT_S * 1e9 / self._step_ns), futures.steps[0])
            return float(self._costs.uncertainty(futures)[:, soon].max())

        intended = None
        if self._policy is not None and isinstance(aim, PoseGoal):
            intended = self._each_instant(self._policy.intend(latent, aim.position))
        doubt = np.inf if intended is None or not self._follow else doubt_of(intended)
        if intended is not None and doubt <= self._policy_trust:
            result, name = PlanResult.unsearched(intended), POLICY
        else:
            seeds = None if intended is None else intended[None]
            result, name = self._planner.plan(evaluate, self._warm, deadline_s, seeds), self._planner.name
            doubt = doubt_of(result.actions)
        actions, samples = (self._each_step(part) for part in (result.actions[None], result.samples))
        self._warm = self._each_instant(np.concatenate([actions[0, 1:], actions[0, -1:]]))
        result = replace(result, actions=np.float32(speed) * actions[0], samples=np.float32(speed) * samples)
        if doubt > self._defer_above:
            reason = f"deferred: the object may end up {1000 * doubt:.0f} mm off, at most {1000 * self._defer_above:.0f} wanted"
            return replace(self.hold(reason, stamp_ns=stamp_ns, delay=delay), deferred=True)
        motion = self.tool_path.move(self._action.scaled(result.actions[0].astype(float)))
        action = self._record(effective_ns, motion)
        spent_ms = 1e3 * (time.perf_counter() - began)
        return Decision(action, motion, result, latent, aim, delay, spent_ms, planner=name)

    def _aim(self, goal: Goal, object_xy: np.ndarray, stamp_ns: int) -> PoseGoal | ExplorationTarget:
        """What to plan for now with the object at `object_xy` (2,) [m]."""
        task = self._costs.task
        if isinstance(goal, ExploreGoal):
            self.targets = self.targets or ExplorationTargets(task.exploring.places, goal.seed)
            return self.targets.target(object_xy, stamp_ns)
        if not isinstance(goal, PoseGoal) or set(goal.pose) != set(task.goal_axes):
            raise GoalError(f"expected a goal of exploring, or of a pose of {list(task.goal_axes)}, got {goal}")
        return goal

    def _terms(self, futures: Futures, actions: np.ndarray, aim: PoseGoal | ExplorationTarget) -> dict[str, np.ndarray]:
        """Weighted cost terms (N,) of futures."""
        if isinstance(aim, ExplorationTarget):
            return self._exploration.terms(futures, actions, aim)
        return self._costs.terms(futures, actions, aim.position)

    def _each_step(self, actions: np.ndarray) -> np.ndarray:
        """Actions (N, n, A) of n instants, held until the next: (N, H, A)."""
        return actions if self._spans[-1] == 1 else np.repeat(actions, self._spans, 1)

    def _each_instant(self, actions: np.ndarray) -> np.ndarray:
        """Actions (H, A) as one for each of n instants that lead to the same places (n, A)."""
        if self._spans[-1] == 1:
            return actions
        starts = np.cumsum(self._spans) - self._spans
        return (np.add.reduceat(actions, starts) / self._spans[:, None]).astype(np.float32)

    def _continue_at(self, effective_ns: int) -> None:
        """A command that follows the last one sooner or later than usual goes on from where the arm will be by then."""
        if len(self.commanded):
            place = self.commanded.target(effective_ns).get(self._action.axes)
            if float(np.linalg.norm(place - self.tool_path.position)) > SAME_PLACE:
                self.tool_path.continue_from(place)

    def _record(self, effective_ns: int, motion: ToolMotion) -> np.ndarray:
        """Remember a motion as commanded; returns the action (A,) that it is."""
        self.commanded.record(effective_ns, self._step_ns, motion.start, motion.end)
        return self._action.from_displacement(motion.end.values - motion.start.values)

    def _back_off(self, object_xy: np.ndarray, ee: np.ndarray, effective_ns: int, delay: float) -> Decision:
        """Straight away from the believed object at half speed at most: that moves nothing, and gives the cameras a look."""
        motion = self.tool_path.move(self._action.scaled(self._unhurried * _away(object_xy, ee)))
        self._warm = None
        return Decision(self._record(effective_ns, motion), motion, None, None, None, delay, 0.0)

    def _return(self, object_xy: np.ndarray, ee: np.ndarray, effective_ns: int, delay: float) -> Decision:
        """To the height and orientation in which the tool works, as after a person moved the arm; not down onto the object."""
        reason, step = f"returning: the tool is {self.tool_path.aside}", np.zeros(2)
        over = self.tool_path.above > OVER and float(np.linalg.norm(object_xy - ee)) < BLIND_REACH
        if over:
            x, y = _away(object_xy, ee)
            ways = [self._action.scaled(self._unhurried * np.array(way)) for way in ((x, y), (-y, x), (y, -x))]
            step = max(ways, key=lambda way: np.linalg.norm(self.tool_path.clipped(way) - self.tool_path.position))
        motion = replace(self.tool_path.move(step, settle=not over), reason=reason)
        self._warm = None
        return Decision(self._record(effective_ns, motion), motion, None, None, None, delay, 0.0)

    @property
    def _unhurried(self) -> float:
        """Share of full speed of what is not planned."""
        return min(HALF, self._speed)

    def outlook(self, decision: Decision) -> Outlook:
        """What the plan of a decision is expected to bring; raises ValueError for one without a plan."""
        if decision.plan is None or decision.latent is None or decision.goal is None:
            raise ValueError("expected a decision with a plan, got a hold")
        actions = decision.plan.actions[None]
        futures = self._engine.rollout(decision.latent, actions)
        terms = self._terms(futures, actions, decision.goal)
        return Outlook(
            futures,
            {name: float(value[0]) for name, value in terms.items()},
            float(self._costs.uncertainty(futures).mean()),
        )


def _away(object_xy: np.ndarray, ee: np.ndarray) -> np.ndarray:
    """The direction (2,) from the object to the tool."""
    return (ee - object_xy) / max(float(np.linalg.norm(ee - object_xy)), 1e-6)
