"""wm_planner: belief and goal in, plan and command out. One command answers every belief."""

import time
from contextlib import suppress

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header
from wm_msgs.msg import Belief, Command, Plan
from wm_msgs.msg import Goal as GoalMessage

from wm_core.bundle import Bundle
from wm_core.bundle_slot import BundleSlot
from wm_core.conversions import scene_state, tool_state
from wm_core.follow_params import FOLLOW
from wm_core.goal import ExploreGoal, Goal, GoalError
from wm_core.joint_states import MALFORMED, JointStateError, Others
from wm_core.kinematics import Kinematics
from wm_core.lifecycle import OK, WARN, WmNode
from wm_core.node_process import run
from wm_core.params import Param
from wm_core.publishers import JOINTS, silent
from wm_core.qos import LATCHED, NEWEST, STATE
from wm_core.robot_source import ROBOT, ROBOT_RETIRED, robot_of
from wm_core.stamps import to_ns
from wm_core.task import DEFAULT_TASK, TaskError, load_task
from wm_planner import settings
from wm_planner.controller import Decision, PlannerCore
from wm_planner.conversions import check_kind, command_message, goal_of, plan_message, sent_motion
from wm_planner.delay import DelayEstimator
from wm_planner.factory import make_planner_core, warm_up
from wm_planner.followed_arm import FollowedArm
from wm_planner.markers import CandidateView
from wm_planner.planners import PlanningError
from wm_planner.pursuit import DEACTIVATED, E_STOPPED, Pursuit
from wm_planner.turns import PATIENCE_S, Turns

DEADLINE = 0.45  # share of a step: what sees and believes needs the rest


class PlannerNode(WmNode):
    PARAMETERS = (
        Param("bundle", "", "model bundle folder; empty: the shipped one"),
        Param("task", DEFAULT_TASK, "a task of wm_tasks/tasks, or the path of a task file: goals, costs, success"),
        *ROBOT,
        Param("joint_topic", "", "joint states of the arm; empty: as the robot's profile says"),
        Param(
            "lockstep",
            False,
            "simulated time stands still while computing: only the arm's lag to compensate, no deadline",
        ),
        Param(
            "arm_lag", 0.0, "[s] that the arm is behind its commands: half of the guard's smoothing and 10 ms", 0.0, 0.5
        ),
        Param("initial_delay", 0.04, "[s] assumed from camera to command before it is measured", 0.0, 1.0),
        Param("planning_time", 0.0, f"[s] deadline, from a belief on; 0: {DEADLINE:g} of the bundle's step", 0.0, 10.0),
        Param("belief_timeout", 0.3, "[s] an older belief is answered with a hold", 0.01, 10.0),
        Param("defer_patience", 2.0, "[s] of such plans without a break after which the goal is given up", 0.0, 3600.0),
        Param("tolerance", 0.0, "[m] default distance at which a goal is reached; 0: the task's", 0.0, 0.5),
        Param("timeout", 0.0, "[s] default time for a goal; 0: the task's", 0.0, 3600.0),
        *FOLLOW,
        Param("threads", 1, "onnxruntime threads of the rollouts", 1, 64),
        *settings.parameters(),
    )
    RETIRED = ROBOT_RETIRED

    def __init__(self, **kwargs: object) -> None:
        super().__init__("wm_planner", **kwargs)
        with suppress(TaskError):  # of which configuring says more
            self.declare(self.more_parameters())

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def more_parameters(self) -> tuple[Param, ...]:
        return settings.cost_parameters(load_task(self.value("task")))

    def setup(self) -> None:
        self._robot = robot_of(self)
        self._kinematics, self._others = Kinematics(self._robot), Others(self._robot)
        self._task = task = load_task(self.value("task"))
        self._slot = BundleSlot(self, self._make_core)
        self._use()
        self._delay = DelayEstimator(self.value("initial_delay"), self._bundle.step_duration)
        self._arm = FollowedArm(
            self._kinematics,
            self.value("lockstep"),
            tolerance=self.value("follow_tolerance"),
            lag=self.value("follow_lag"),
            confirm=self.value("confirm_time"),
        )
        self._stopped, self._deferred_s = False, 0.0
        self._commands = self.publisher(Command, "wm/command", STATE)
        self._plans = self.publisher(Plan, "wm/plan", STATE)
        self._candidates = CandidateView(self)
        self._answered = Header()
        self._pursuit = Pursuit(
            self,
            self._accept,
            self.value("timeout") or task.time_limit,
            task.success.cycles,
            lambda: self._answered,
            lambda: self._bundle.id,
        )
        self._pursuit.on_start = lambda: self._core.reset()
        # Beliefs last: the executor serves what has arrived in this order.
        joints = self.value("joint_topic") or self._robot.joint_topic
        self._joint_topic = self.subscribe_offered(JointState, joints, self._on_joints).topic_name
        self._executed = self.subscribe(Command, "wm/executed", self._on_executed, STATE)
        self.subscribe(Bool, "wm/e_stopped", self._on_e_stopped, LATCHED)
        self.subscribe(Belief, "wm/belief", self._on_belief, NEWEST)
        self.every(1.0, self._report, wall=True)
        if self.value("lockstep"):
            self.every(0.1, self._take_turn, wall=True)

    def start(self) -> None:
        self._turns: Turns[Belief] = Turns(PATIENCE_S if self.value("lockstep") else 0.0)

    def stop(self) -> None:
        self._pursuit.end(DEACTIVATED)

    def teardown(self) -> None:
        if hasattr(self, "_slot"):
            self._slot.close()
        if hasattr(self, "_pursuit"):
            self._pursuit.destroy()
            del self._pursuit

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

    # -- the latency path ----------------------------------------------------------------------------------------

    def _on_belief(self, belief: Belief) -> None:
        self._turns.came(belief, to_ns(belief.header.stamp), time.monotonic())
        self._take_turn()

    def _take_turn(self) -> None:
        """Answer the belief that waits; in lockstep not before all is known that it depends on."""
        belief = self._turns.take(time.monotonic(), lambda: self._executed.get_publisher_count() > 0)
        if belief is not None:
            self._answer(belief)

    def _answer(self, belief: Belief) -> None:
        arrived = time.monotonic()
        if belief.model_id != self._bundle.id and (before := self._slot.adopt(belief.model_id)) is not None:
            self._use(before)
        stamp_ns = to_ns(belief.header.stamp)
        if not self._arm.known(stamp_ns):
            if self.counts["unconfirmed_joint_state"]:  # they are on the way
                self.counts["no_joint_state"] += 1
            else:
                none = silent(self, self._joint_topic, JOINTS, "joint_topic")
                self.reject("no_joint_state", f"expected a joint state before the first command, none yet: {none}")
            return
        self._follow_arm(stamp_ns)
        delay = 0.0 if self.value("lockstep") else self._delay.delay_s(self._age(stamp_ns))
        delay += self.value("arm_lag")
        decision, status = self._decide(belief, stamp_ns, delay, arrived)
        names, effective_ns = self._kinematics.joint_names, stamp_ns + round(delay * 1e9)
        self._commands.publish(command_message(belief, decision, names, effective_ns, status))
        self._turns.sent(stamp_ns)
        if not self.value("lockstep"):
            self._delay.measured(self._age(stamp_ns), time.monotonic() - arrived)
        self._answered = belief.header
        self.counts["cycles"] += 1
        progress = self._pursuit.progress
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
        budget = self.value("planning_time") or DEADLINE * self._bundle.step_duration
        try:
            decision = self._core.step(
                np.asarray(belief.mean, np.float32),
                np.asarray(belief.variance, np.float32),
                tool_state(belief.tool),
                progress.goal,
                stamp_ns=stamp_ns,
                delay=delay,
                time_unseen=belief.objects[0].time_unseen,
                deadline_s=None if self.value("lockstep") else arrived + budget,
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
        age = self._age(stamp_ns)
        if not self.value("lockstep") and age > self.value("belief_timeout"):
            return f"expected a belief younger than {self.value('belief_timeout')} s, got one of {age:.2f} s"
        return ""

    def _age(self, stamp_ns: int) -> float:
        """[s] since a measurement; one that seems to come from the future is new."""
        return max(0.0, (self.get_clock().now().nanoseconds - stamp_ns) / 1e9)

    # -- other inputs --------------------------------------------------------------------------------------------

    def _on_joints(self, message: JointState) -> None:
        if self._others.alone(message.name):
            return
        stamp_ns = to_ns(message.header.stamp)
        try:
            self._arm.measured(message.name, message.position, stamp_ns, message.velocity)
        except JointStateError as error:
            self.counts[f"{error.reason}_joint_state"] += 1
            if error.reason in MALFORMED:
                self.reject("bad_joint_state", f"{self._joint_topic}: {error}")
                return
        self._turns.measured(stamp_ns)
        self._take_turn()

    def _on_executed(self, message: Command) -> None:
        """The guard replaced a command by a hold: go on from where the arm really is."""
        stamp_ns = to_ns(message.header.stamp)
        hold = message.status == Command.HOLD
        self._arm.sent(*sent_motion(message), hold)
        if hold:
            self._arm.held(stamp_ns)
        self._turns.reported(stamp_ns, sent=bool(message.trajectory.points))
        self._take_turn()

    def _follow_arm(self, stamp_ns: int) -> None:
        path, known = self._core.tool_path, self._core.tool_path.anchored
        if self._arm.anchor(path, stamp_ns, self._pursuit.progress is not None):
            self.counts["reanchored"] += known
            self._core.forget()

    def _on_e_stopped(self, message: Bool) -> None:
        if message.data and not self._stopped:
            self._pursuit.end(E_STOPPED)
        self._stopped = message.data

    def _accept(self, goal: GoalMessage) -> Goal:
        check_kind(goal)
        if self._stopped:
            raise GoalError("the emergency stop is set; reset it with wm/e_stop_reset first")
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
