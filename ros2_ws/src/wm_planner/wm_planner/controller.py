"""The pure MPC controller: belief and goal in, tool motion out. One cycle is one call of `step`."""

import time
from dataclasses import dataclass

import numpy as np

from wm_dynamics.rollout import Futures, RolloutEngine
from wm_planner.costs import CostModel
from wm_planner.delay import roll_forward
from wm_planner.goal import ObjectGoal
from wm_planner.planners import Planner, PlanResult
from wm_planner.tool_path import ToolMotion, ToolPath


@dataclass(frozen=True)
class Decision:
    """What one cycle decided."""

    action: np.ndarray  # (2,) in the unit disk
    motion: ToolMotion
    plan: PlanResult | None  # None when there was nothing to plan
    futures: Futures | None  # of the plan alone (N = 1)
    cost_terms: dict[str, float]
    uncertainty: float  # [m] mean ensemble disagreement along the plan
    delay: float  # [s] compensated
    plan_ms: float


class PlannerCore:
    """Plans in the imagination of one bundle. Keeps the warm start and the commanded tool position."""

    def __init__(self, engine: RolloutEngine, planner: Planner, costs: CostModel, tool_path: ToolPath) -> None:
        self._engine = engine
        self._planner = planner
        self._costs = costs
        self.tool_path = tool_path
        self._scale = engine.bundle.action_scale
        self._step = engine.bundle.step_duration
        self.reset()

    def reset(self) -> None:
        """Forget warm start and last action, e.g. for a new goal."""
        self._planner.reset()
        self._warm: np.ndarray | None = None
        self._last_action = np.zeros(2)

    def hold(self, reason: str = "", delay: float = 0.0) -> Decision:
        """Stay: no goal, goal reached, or not safe to move."""
        self._warm = None
        self._last_action = np.zeros(2)
        return Decision(np.zeros(2), self.tool_path.hold(reason), None, None, {}, 0.0, delay, 0.0)

    def step(
        self,
        mean: np.ndarray,
        variance: np.ndarray,
        ee: np.ndarray,
        goal: ObjectGoal,
        *,
        delay: float = 0.0,
        deadline_s: float | None = None,
    ) -> Decision:
        """One cycle from belief mean and variance (L,) and measured tool position `ee` (2,) [m].

        `delay` [s]: from the belief's stamp to when the command takes effect. Raises PlanningError without finite costs,
        ValueError on a belief that is not finite.
        """
        began = time.perf_counter()
        if not (np.isfinite(mean).all() and np.isfinite(variance).all() and np.isfinite(ee).all()):
            raise ValueError("expected a finite belief, got one with NaN or infinity")
        latent = np.asarray(mean, np.float32)
        if delay > 0:
            share = min(1.0, delay / self._step)
            moved = np.asarray(ee) + share * self._scale * self._last_action
            latent = roll_forward(
                self._engine.bundle, latent, variance, self._last_action, share, moved, self.tool_path.position
            )

        def evaluate(actions: np.ndarray) -> np.ndarray:
            return self._costs.cost(self._engine.rollout(latent, actions), actions, goal.xy)

        result = self._planner.plan(evaluate, self._warm, deadline_s)
        action = result.actions[0].astype(float)
        motion = self.tool_path.move(self._scale * action)
        self._last_action = (motion.ee_end - motion.ee_start) / self._scale
        self._warm = np.concatenate([result.actions[1:], result.actions[-1:]])
        chosen = self._engine.rollout(latent, result.actions[None])
        terms = {
            name: float(value[0]) for name, value in self._costs.terms(chosen, result.actions[None], goal.xy).items()
        }
        return Decision(
            self._last_action,
            motion,
            result,
            chosen,
            terms,
            float(chosen.epistemic_std().mean()),
            delay,
            1e3 * (time.perf_counter() - began),
        )
