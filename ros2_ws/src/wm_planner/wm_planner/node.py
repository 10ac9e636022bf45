"""wm_planner: belief and goal in, plan and command out. One command answers every belief."""

from contextlib import suppress

import numpy as np
from wm_msgs.msg import Belief, Command, Plan
from wm_msgs.msg import Goal as GoalMessage

from wm_core.bundle import Bundle
from wm_core.bundle_slot import BundleSlot
from wm_core.conversions import scene_state, tool_state
from wm_core.goal import ExploreGoal, Goal
from wm_core.kinematics import Kinematics
from wm_core.lifecycle import OK, WARN
from wm_core.node_process import run
from wm_core.params import Param
from wm_core.qos import STATE
from wm_core.task import DEFAULT_TASK, TaskError, load_task
from wm_planner import settings
from wm_planner.controller import Decision, PlannerCore
from wm_planner.conversions import check_kind, command_message, goal_of, plan_message
from wm_planner.factory import make_planner_core, warm_up
from wm_planner.markers import CandidateView
from wm_planner.planners import PlanningError
from wm_planner.planning_node import ARM_PARAMETERS, PlanningNode


class PlannerNode(PlanningNode):
    PARAMETERS = (
        Param("bundle", "", "model bundle folder; empty: the shipped one"),
        Param("task", DEFAULT_TASK, "a task of wm_tasks/tasks, or the path of a task file: goals, costs, success"),
        *ARM_PARAMETERS,
        Param("defer_patience", 2.0, "[s] of such plans without a break after which the goal is given up", 0.0, 3600.0),
        Param("tolerance", 0.0, "[m] default distance at which a goal is reached; 0: the task's", 0.0, 0.5),
        Param("timeout", 0.0, "[s] default time for a goal; 0: the task's", 0.0, 3600.0),
        *settings.parameters(),
    )

    _core: PlannerCore
    _bundle: Bundle

    def __init__(self, **kwargs: object) -> None:
        super().__init__("wm_planner", **kwargs)
        with suppress(TaskError):  # of which configuring says more
            self.declare(self.more_parameters())

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def more_parameters(self) -> tuple[Param, ...]:
        return settings.cost_parameters(load_task(self.value("task")))

    def setup(self) -> None:
        self.use_robot()
        self._task = task = load_task(self.value("task"))
        self._slot = BundleSlot(self, self._make_core)
        self._use()
        self._deferred_s = 0.0
        self._plans = self.publisher(Plan, "wm/plan", STATE)
        self._candidates = CandidateView(self)
        self.prepare(self.value("timeout") or task.time_limit, task.success.cycles)
        self.every(1.0, self._report, wall=True)

    def teardown(self) -> None:
        if hasattr(self, "_slot"):
            self._slot.close()
        super().teardown()

    def _make_core(self, bundle: Bundle) -> PlannerCore:
        """What plans with a bundle, warmed up; in any thread."""
        kinematics = Kinematics(self._robot)
        core = make_planner_core(bundle, self._task, kinematics, settings.planner_settings(self._task, self.value))
        warm_up(core, kinematics)
        return core

    def _use(self, before: PlannerCore | None = None) -> None:
        """Plan with what the slot holds; where the arm is and was sent, and what is explored, is known from `before`."""
        self._core = self._slot.current
        self._bundle = self._core.bundle
        if before is not None:
            self._core.tool_path, self._core.commanded = before.tool_path, before.commanded
            self._core.targets = before.targets

    def begin_goal(self) -> None:
        self._core.reset()

    # -- the latency path ----------------------------------------------------------------------------------------

    def ready(self, belief: Belief) -> bool:
        """Beliefs of a bundle that was prepared are answered with it."""
        if belief.model_id != self._bundle.id and (before := self._slot.adopt(belief.model_id)) is not None:
            self._use(before)
        return True

    def decide(self, belief: Belief, stamp_ns: int, delay: float, arrived: float) -> Command:
        self._decision, status = self._decide(belief, stamp_ns, delay, arrived)
        names, effective_ns = self._kinematics.joint_names, stamp_ns + round(delay * 1e9)
        return command_message(belief, self._decision, names, effective_ns, status)

    def concluded(self, belief: Belief) -> None:
        progress, decision = self._pursuit.progress, self._decision
        self._deferred_s = self._deferred_s + self._bundle.step_duration if decision.deferred else 0.0
        self.counts["deferred"] += decision.deferred
        if decision.plan is not None:
            outlook = self._core.outlook(decision)
            self._plans.publish(plan_message(belief, decision, outlook, self._bundle.step_duration))
            self._candidates.show(belief.header, decision.motion.start, self._bundle.action, decision.plan)
            self.counts["deadline_misses"] += decision.plan.deadline_missed
            self.counts["fallbacks"] += decision.planner != self.value("planner")
            self.timed("plan_ms", decision.plan_ms)
            self._pursuit.feedback(outlook.cost, outlook.uncertainty)
        if progress is not None and progress.reached:
            self._pursuit.end("reached", success=True)
        elif progress is not None and progress.timed_out:
            self._pursuit.end("timeout", success=isinstance(progress.goal, ExploreGoal))
        elif self._deferred_s > self.value("defer_patience"):
            self._pursuit.end(decision.motion.reason)

    def _decide(self, belief: Belief, stamp_ns: int, delay: float, arrived: float) -> tuple[Decision, int]:
        """What to do with this belief; a hold whenever it is not safe to plan."""
        if self._pursuit.cancel_requested():
            self._pursuit.end("cancelled")
        progress = self._pursuit.progress
        if progress is None:
            return self._core.hold(stamp_ns=stamp_ns, delay=delay), Command.IDLE
        problem = self._problem(belief, stamp_ns)
        if belief.objects:
            progress.update(scene_state(belief.objects), stamp_ns, belief.objects[0].time_unseen)
        if problem:
            self.reject("holds", problem)
            return self._core.hold(problem, stamp_ns=stamp_ns, delay=delay), Command.HOLD
        if progress.near:
            return self._core.hold(stamp_ns=stamp_ns, delay=delay), Command.ACTIVE
        try:
            decision = self._core.step(
                np.asarray(belief.mean, np.float32),
                np.asarray(belief.variance, np.float32),
                tool_state(belief.tool),
                progress.goal,
                stamp_ns=stamp_ns,
                delay=delay,
                time_unseen=belief.objects[0].time_unseen,
                deadline_s=self.deadline_s(arrived),
            )
            return decision, Command.HOLD if decision.deferred else Command.ACTIVE
        except (PlanningError, ValueError) as error:
            self.reject("planning_errors", str(error))
            return self._core.hold(str(error), stamp_ns=stamp_ns, delay=delay), Command.HOLD

    def _problem(self, belief: Belief, stamp_ns: int) -> str:
        """Why this belief must not move the arm; empty when it may."""
        bundle = self._bundle
        if self._stopped:
            return "emergency stop"
        if belief.model_id != bundle.id:
            return f"expected beliefs of model '{bundle.id}', got '{belief.model_id}'; use one bundle in all nodes"
        if len(belief.mean) != bundle.latent_size or len(belief.variance) != bundle.latent_size:
            return f"expected a belief of {bundle.latent_size} numbers, got {len(belief.mean)}"
        if len(belief.objects) != bundle.state.objects:
            return f"expected a belief about {bundle.state.objects} objects, got {len(belief.objects)}"
        return self.too_old(stamp_ns)

    def accept(self, goal: GoalMessage) -> Goal:
        check_kind(goal)
        tolerance = goal.tolerance or self.value("tolerance")
        return goal_of(goal, self._task, self._robot.table_frame, tolerance, self.value("seed"))

    # -- diagnostics ---------------------------------------------------------------------------------------------

    def _report(self) -> None:
        progress = self._pursuit.progress
        summary = (
            "emergency stop"
            if self._stopped
            else "idle"
            if progress is None
            else "exploring"
            if isinstance(progress.goal, ExploreGoal)
            else f"{1000 * progress.distance:.0f} mm to the goal"
        )
        misses = self.counts["deadline_misses"] / max(1, self.counts["cycles"])
        self.diagnose(
            WARN if self._stopped or misses > 0.01 else OK,
            summary,
            planner=self.value("planner"),
            delay_ms=f"{1000 * self._delay.delay_s():.1f}",
            **self.record(),
        )


def main() -> int:
    return run(PlannerNode)


if __name__ == "__main__":
    raise SystemExit(main())
