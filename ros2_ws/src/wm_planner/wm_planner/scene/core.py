"""Plans for a scene while a real arm is behind: what is believed now becomes what will be when the command takes effect."""

from dataclasses import dataclass

import numpy as np

from wm_core.executed import ExecutedMotion
from wm_core.goal import Goal
from wm_core.hand import OPENING
from wm_core.scene import ToolState
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneModel
from wm_dynamics.scene_tracker import mean_state
from wm_planner.scene.decision import Mode, SceneDecision
from wm_planner.scene.planner import ScenePlanner
from wm_planner.tool_path import ToolMotion, ToolPath

NS = 1_000_000_000
SAME_PLACE = np.array(
    [0.002, 0.002, 0.002, 0.02, 0.02, 0.01]
)  # [m, rad] between where the last command ends and the next begins


@dataclass(frozen=True)
class SceneStep:
    """What one cycle decided: the motion that is commanded, and why; `plan` is None for a hold without a plan."""

    motion: ToolMotion
    plan: SceneDecision | None


class SceneCore:
    """Keeps a goal and what was commanded; `step` for each belief, `hold` where nothing is to be done."""

    def __init__(self, model: SceneModel, planner: ScenePlanner, path: ToolPath) -> None:
        """`path`: along all axes of a tool state."""
        self.model, self.planner, self.tool_path = model, planner, path
        self.commanded = ExecutedMotion()
        self._step_ns = round(model.bundle.step_duration * NS)
        self._before = np.zeros(6)

    def pursue(self, goal: Goal, belief: SceneBelief) -> None:
        """From now on; raises GoalError for a goal that cannot be met."""
        self.planner.pursue(goal, belief)

    def forget(self) -> None:
        """The arm is not where it was sent."""
        self.commanded.clear()
        self._before = np.zeros(6)

    def hold(self, effective_ns: int, reason: str = "") -> SceneStep:
        """Stay where commanded, from `effective_ns` on."""
        motion = self.tool_path.hold(reason)
        self._record(effective_ns, motion)
        return SceneStep(motion, None)

    def step(
        self, belief: SceneBelief, tool: ToolState, stamp_ns: int, delay: float, deadline_s: float | None = None
    ) -> SceneStep:
        """From a belief and the tool (6,) measured at `stamp_ns`; the command takes effect `delay` [s] later. `deadline_s`: of
        time.monotonic().
        """
        effective_ns = stamp_ns + round(NS * delay)
        if delay > 0 and len(self.commanded):
            belief = self._predicted(belief, tool, effective_ns)
            self._continue_at(effective_ns)
        if self.tool_path.aside:
            motion = self.tool_path.move(np.zeros(6))
            self._record(effective_ns, motion)
            return SceneStep(motion, None)
        plan = self.planner.plan(belief, self.tool_path.position, self._before, deadline_s)
        motion = (
            self.tool_path.hold(plan.reason)
            if plan.mode in (Mode.DONE, Mode.FAILED)
            else self.tool_path.move(plan.move)
        )
        self._record(effective_ns, motion)
        return SceneStep(motion, plan)

    def _predicted(self, belief: SceneBelief, tool: ToolState, effective_ns: int) -> SceneBelief:
        """What is believed of then: one step of the model in which the arm catches up with what was commanded for that time."""
        at, target = tool.values.copy(), self.commanded.target(effective_ns).values
        at[OPENING] = target[OPENING]
        limit = self.model.limit
        move = np.clip(target - at, -limit, limit)
        if np.abs(move / limit).max() < 0.02 and np.abs(belief.state[:, 7:]).max() < 1e-6:
            return belief
        states = self.model.imagine(belief, at, move[None, None], self._before, every=True).states[:, 0, 0]
        return belief.at(mean_state(states))

    def _continue_at(self, effective_ns: int) -> None:
        """A command that follows the last one sooner or later than usual goes on from where the arm will be by then."""
        place = self.commanded.target(effective_ns).values
        if (np.abs(place - self.tool_path.position) > SAME_PLACE).any():
            self.tool_path.continue_from(place)

    def _record(self, effective_ns: int, motion: ToolMotion) -> None:
        self.commanded.record(effective_ns, self._step_ns, motion.start, motion.end)
        self._before = motion.end.values - motion.start.values
