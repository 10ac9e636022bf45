"""The cores of all nodes wired in one process, without ROS, in lockstep: for benchmarks and tests.

One step is one control period: render, perceive, filter, plan, guard, move. Simulated time stands still meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.goal import PoseGoal
from wm_core.kinematics import Kinematics
from wm_core.paths import bundles_dir, rigs_dir
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT, RobotProfile, load_robot
from wm_core.task import DEFAULT_TASK, Task, load_task
from wm_dynamics.belief import BeliefState
from wm_guard.guard import Guard
from wm_guard.limits import Limits, Request
from wm_guard.verdicts import Kind
from wm_perception.pipeline import ObservationData
from wm_planner.controller import Decision
from wm_planner.factory import PlannerSettings, make_planner_core
from wm_planner.goal import Progress
from wm_planner.planners import PlanResult
from wm_sim.arm_sim import ArmSim
from wm_sim.controller import Point
from wm_sim.driver import Driver
from wm_sim.world import World, load_world
from wm_tasks.estimator import StateEstimator, capture

# Action (2,) in the unit disk for commanded tool position, true object position and goal, each (2,) [m].
Policy = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Step:
    """One control period of an episode; positions (2,) [m] in the base frame at `stamp_ns`."""

    stamp_ns: int
    object_xy: np.ndarray  # ground truth
    ee_target: np.ndarray  # commanded tool position
    action: np.ndarray  # commanded in this step
    verdict: str  # of the guard: pass, limited or refused
    hidden: bool  # from all cameras
    observation: ObservationData | None  # None with a policy in the planner's place
    belief: BeliefState | None
    plan: PlanResult | None  # None while holding
    plan_ms: float
    planner: str  # who made the plan

    @property
    def believed_xy(self) -> np.ndarray:
        """Where the object is thought to be."""
        return self.object_xy if self.belief is None else self.belief.scene.xy[0]


@dataclass(frozen=True)
class EpisodeResult:
    """Outcome of one episode, scored on ground truth."""

    seed: int
    goal: tuple[float, ...]  # along the task's goal axes [m]
    start_distance_m: float
    final_distance_m: float
    steps: int
    time_s: float  # of the robot
    reached: bool  # in the planner's belief
    trace: tuple[Step, ...]

    @property
    def success_2cm(self) -> bool:
        return self.final_distance_m <= 0.02

    @property
    def success_3cm(self) -> bool:
        return self.final_distance_m <= 0.03


class ClosedLoop:
    """A simulated arm controlled through perception, belief, planner and guard."""

    def __init__(
        self,
        world: World,
        rig: CameraRig,
        bundle: Bundle,
        settings: PlannerSettings | None = None,
        *,
        cameras: Sequence[str] | None = None,
        budget_s: float | None = None,
        task: Task | None = None,
        robot: RobotProfile | None = None,
    ) -> None:
        """`settings`: of the planner (default: the planner node's). `cameras`: use only these. `budget_s`: time for each plan (None:
        unlimited). `task`, `robot`: the default ones where none is given.

        Raises FitError for a bundle or a robot, and TaskError for a world, that does not fit the task."""
        self.task = task or load_task()
        self.sim = ArmSim(world.practised(self.task), rig.only(cameras) if cameras else rig, robot=robot)
        self.kinematics = Kinematics(self.sim.robot)
        self.bundle = bundle
        self._budget_s = budget_s
        self._driver = Driver(self.sim, bundle.step_duration, None)
        self._estimator = StateEstimator(bundle, self.sim.rig, self.kinematics)
        self._planner = make_planner_core(bundle, self.task, self.kinematics, settings or PlannerSettings())
        self._tool_path = self._planner.tool_path

    @staticmethod
    def load(
        world: str,
        bundle: str | Path | None = None,
        planner: str = "icem",
        task: str | Path = DEFAULT_TASK,
        robot: str | Path = DEFAULT_ROBOT,
        *,
        cameras: Sequence[str] | None = None,
        budget_s: float | None = None,
        **settings: Any,
    ) -> "ClosedLoop":
        """By names, with the world's own rig and the shipped bundle unless another is given; `settings`: PlannerSettings."""
        loaded = load_world(world)
        return ClosedLoop(
            loaded,
            CameraRig.load(rigs_dir() / f"{loaded.rig}.yaml"),
            Bundle.load(bundle or bundles_dir() / "default"),
            PlannerSettings(planner, **settings),
            cameras=cameras,
            budget_s=budget_s,
            task=load_task(task),
            robot=load_robot(robot),
        )

    def episode(
        self,
        seed: int,
        goal: Sequence[float] | None = None,
        max_steps: int | None = None,
        *,
        policy: Policy | None = None,
        oracle: bool = False,
        hide: Callable[[int, Sequence[Step]], bool] | None = None,
    ) -> EpisodeResult:
        """Run one episode from a start drawn with `seed` to `goal` (x, y) [m] (default: the one drawn with the seed).

        `policy`: chooses actions on the true state instead of perception, belief and planner. `oracle`: the encoder's
        object position is replaced by the true one. `max_steps`: the task's time limit where none is given.
        `hide(index, trace)`: whether no camera sees the object in a step.
        """
        start = self.reset(seed)
        place = np.asarray(start["goal_xy"] if goal is None else goal, float)
        target = PoseGoal(dict(zip(self.task.goal_axes, place, strict=True)), self.task.success.tolerance)
        begin_ns = self.sim.time_ns
        progress = Progress(target, np.inf, self.task.success.cycles)
        max_steps = max_steps or self.task.max_steps
        trace: list[Step] = []
        while len(trace) < max_steps and not progress.reached:
            hidden = hide is not None and hide(len(trace), trace)
            self.sim.disturb(hidden=hidden)
            trace.append(self.step(progress, policy, oracle=oracle, hidden=hidden))
        return EpisodeResult(
            seed,
            tuple(target.position.tolist()),
            float(np.linalg.norm(start["object_xy"] - place)),
            float(target.distance(self.sim.scene)),
            len(trace),
            (self.sim.time_ns - begin_ns) / 1e9,
            progress.reached,
            tuple(trace),
        )

    def reset(self, seed: int) -> dict[str, np.ndarray]:
        """A start drawn with `seed`: object_xy and goal_xy (2,) [m]; nothing is known or commanded any more."""
        start = self.sim.reset(seed)
        home = self.sim.home
        self._driver.controller.reset(home)
        self._guard = Guard(self.kinematics, Limits.of(self.sim.robot), self.bundle.step_duration)
        self._guard.place(home, self.sim.time_ns, self.sim.time_ns)
        self._motion = ExecutedMotion()
        self._estimator.reset()
        self._planner.reset()
        self._planner.forget()
        self._tool_path.anchor(home)
        return start

    def step(
        self,
        progress: Progress,
        policy: Policy | None = None,
        *,
        watched: bool = False,
        oracle: bool = False,
        hidden: bool = False,
    ) -> Step:
        """One control period towards the goal of `progress`; `watched`: perceive and believe though a policy chooses the actions."""
        if not progress.steps:
            self._planner.reset()
        stamp_ns = self.sim.time_ns
        names, positions, _ = self.sim.joint_state()
        joints = positions[: len(self.kinematics.joint_names)]
        true_scene = self.sim.scene
        truth = true_scene.xy[0]
        ee_target = self._tool_path.position
        observation = belief = None
        if policy is None or watched:
            observation, belief = self._estimator.update(
                stamp_ns, capture(self.sim), joints, self._motion, truth if oracle else None
            )
        if policy is None and belief is not None:
            progress.update(belief.scene, stamp_ns, belief.time_unseen)
            decision = self._decide(belief, progress, stamp_ns)
        elif policy is not None:
            progress.update(true_scene, stamp_ns)
            aim = progress.goal.position if isinstance(progress.goal, PoseGoal) else np.full(2, np.nan)
            action = np.asarray(policy(ee_target, truth, aim), float)
            motion = self._tool_path.move(self.bundle.action.scaled(action))
            decision = Decision(action, motion, None, None, None, self._guard.lag_s, 0.0)
        self._guard.observe(names, positions.tolist(), stamp_ns, stamp_ns)
        verdict = self._send(decision, joints, stamp_ns)
        for _ in range(self._driver.steps_per_period):
            self._driver.step()
        return Step(
            stamp_ns,
            truth,
            ee_target,
            decision.action,
            verdict,
            hidden,
            observation,
            belief,
            decision.plan,
            decision.plan_ms,
            decision.planner,
        )

    # -- inside --------------------------------------------------------------------------------------------------

    def _decide(self, belief: BeliefState, progress: Progress, stamp_ns: int) -> Decision:
        if progress.near:
            return self._planner.hold(stamp_ns=stamp_ns, delay=self._guard.lag_s)
        deadline = None if self._budget_s is None else time.monotonic() + self._budget_s
        return self._planner.step(
            belief.mean,
            belief.variance,
            belief.tool,
            progress.goal,
            stamp_ns=stamp_ns,
            delay=self._guard.lag_s,
            time_unseen=belief.time_unseen,
            deadline_s=deadline,
        )

    def _send(self, decision: Decision, joints: np.ndarray, stamp_ns: int) -> str:
        """Through the guard to the arm's controller, as the nodes do; returns the verdict."""
        motion = decision.motion
        times_ns = np.round(motion.times * 1e9).astype(np.int64)
        begins_ns = stamp_ns + round(1e9 * decision.delay)
        request = Request(self._tool_path.joint_names, begins_ns, times_ns.tolist(), motion.joints.tolist())
        verdict = self._guard.check(request, stamp_ns, stamp_ns)
        commanded, sent = verdict.motion, verdict.sent
        if commanded is None or sent is None:  # the arm is not where it was sent, as when something pushes it away
            self._tool_path.anchor(joints)
            return verdict.kind.value
        points = [Point(int(t), q, v) for t, q, v in zip(sent.times_ns, sent.positions, sent.velocities, strict=True)]
        self._driver.controller.accept(self.kinematics.joint_names, sent.start_ns, points, stamp_ns)
        self._motion.record(verdict.effective_ns, int(commanded.times_ns[-1]), verdict.tool_start, verdict.tool_end)
        if verdict.kind is Kind.REFUSED:
            self._tool_path.anchor(joints)
        return verdict.kind.value
