"""wm_planner for scenes of several objects: beliefs and goals in, commands and plans out. One command answers every belief."""

from pathlib import Path

import numpy as np
from wm_msgs.msg import Belief, Command, Plan
from wm_msgs.msg import Goal as GoalMessage

from wm_core.bundle import BundleError
from wm_core.conversions import scene_state, tool_message, tool_messages, tool_state, track_messages
from wm_core.goal import Goal, GoalError
from wm_core.goal_messages import scene_goal
from wm_core.hand import Hand
from wm_core.lifecycle import OK, WARN
from wm_core.node_process import run
from wm_core.object_state import OBJECT_STATE
from wm_core.params import ConfigError, Param
from wm_core.paths import bundles_dir
from wm_core.qos import STATE
from wm_core.robot_parts import KeepOutBox
from wm_core.scene import ToolState
from wm_core.scene_bundle import SceneBundle
from wm_core.solid import Solid
from wm_core.specs_schema import AXES
from wm_core.stamps import to_msg
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_messages import scene_belief
from wm_dynamics.scene_model import SceneModel
from wm_planner.conversions import trajectory_message
from wm_planner.planning_node import ARM_PARAMETERS, DEADLINE, PlanningNode
from wm_planner.scene.clearance import Prism, box_prisms, prism_around
from wm_planner.scene.core import SceneCore, SceneStep
from wm_planner.scene.decision import Mode, SceneDecision, SceneSettings
from wm_planner.scene.planner import ScenePlanner
from wm_planner.scene.refine import KINDS, Search
from wm_planner.scene.space import region_within
from wm_planner.scene.targets import aim_of
from wm_planner.tool_path import ToolPath

VELOCITY_SHARE = 0.6  # of the joints' limits: a wrist that turns faster is too far behind its commands for the guard
NO_BOX = [0.0] * 6
NO_GOAL = "expected a belief about the scene first, none came yet; wait for wm/belief"


class ScenePlannerNode(PlanningNode):
    PARAMETERS = (
        Param("bundle", "", "bundle of scenes; empty: the shipped one"),
        *ARM_PARAMETERS,
        Param("table", [0.0, -0.6, 1.0, 0.6], "[m] lower and upper corner of the table's top: x, y, x, y", -5.0, 5.0),
        Param(
            "fixtures",
            NO_BOX,
            "[m] boxes that do not move: x, y, z of lower and upper corner, box after box",
            -5.0,
            5.0,
        ),
        Param("axes", ", ".join(AXES), "of the tool that may be used; text, for in YAML a lone y is a yes"),
        Param("tool_speed", 0.0, "[m/s] of the tool at most; 0: as fast as the bundle has learned", 0.0, 2.0),
        Param("planner", Search.kind, "the search around a push", choices=KINDS),
        Param("proposals", SceneSettings.proposals, "of pushes imagined in one cycle", 1, 2000),
        Param("looks", SceneSettings.looks, "cycles with proposals before one is taken", 1, 20),
        Param("tolerance", 0.02, "[m] default distance at which an object is where it shall be", 0.001, 0.5),
        Param("yaw_tolerance", 0.1, "[rad] default, of goals with a yaw", 0.005, 3.2),
        Param("timeout", 60.0, "[s] default time for a goal", 0.1, 3600.0),
        Param("seed", 0, "seed of proposals and candidates", 0, 2**31),
    )

    _core: SceneCore
    _bundle: SceneBundle

    def __init__(self, **kwargs: object) -> None:
        super().__init__("wm_planner", **kwargs)

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def setup(self) -> None:
        self.use_robot()
        folder = Path(self.value("bundle") or bundles_dir() / "scene")
        self._bundle = SceneBundle.load(folder, self.value("threads"))
        hand = Hand.of(self._robot)
        try:
            self._bundle.check_hand(hand)
        except BundleError as error:
            raise ConfigError(f"parameter 'bundle': {error}") from error
        axes = [axis.strip() for axis in self.value("axes").split(",")]
        if unknown := set(axes) - set(AXES):
            raise ConfigError(f"parameter 'axes': expected some of {list(AXES)}, got {sorted(unknown)} too")
        bounds = self._robot.tool_bounds
        self._region = region_within(bounds.lower, bounds.upper)
        model = SceneModel(self._bundle, np.array(self.value("table")), self.value("tool_speed"))
        settings = SceneSettings(
            self.value("proposals"), self.value("looks"), Search(self.value("planner")), axes=tuple(axes)
        )
        self._fixtures = self._standing()
        planner = ScenePlanner(
            model,
            hand,
            bounds.lower,
            bounds.upper,
            self._region,
            settings,
            fixtures=self._fixtures,
            reaches=self._kinematics.reaches,
            seed=self.value("seed"),
        )
        home = self._robot.home
        rest = self._kinematics.ik(home.position, self._robot.tool.turned(home.yaw), home.joints)
        path = ToolPath(
            self._kinematics, self._bundle.step_duration, axes=AXES, rest=rest, velocity_share=VELOCITY_SHARE
        )
        self._core = SceneCore(model, planner, path)
        _warm_up(model, self.value("proposals"), np.mean(self._region, axis=0))
        self._belief: SceneBelief | None = None
        self._plans = self.publisher(Plan, "wm/plan", STATE)
        self.prepare(self.value("timeout"), 1)
        self.every(1.0, self._report, wall=True)

    def _standing(self) -> list[Prism]:
        """What does not move: as the parameter says, and the boxes that the robot's profile keeps the arm out of."""
        given = self.value("fixtures")
        if len(given) % 6:
            raise ConfigError(f"parameter 'fixtures': expected six numbers for each box, got {len(given)}")
        boxes = np.zeros((0, 6)) if list(given) == NO_BOX else np.array(given).reshape(-1, 6)
        if (boxes[:, 3:] <= boxes[:, :3]).any():
            raise ConfigError("parameter 'fixtures': expected each lower corner below its upper one, got another order")
        kept_out = [box for box in self._robot.keep_out if isinstance(box, KeepOutBox)]
        solids = [Solid.box(box.size.tolist()).turned(box.pose[:3, :3]).moved(box.pose[:3, 3]) for box in kept_out]
        return [*box_prisms(boxes), *(prism_around(solid.corners) for solid in solids)]

    def begin_goal(self) -> None:
        progress = self._pursuit.progress
        if progress is not None and self._belief is not None:
            self._core.pursue(progress.goal, self._belief)

    def accept(self, goal: GoalMessage) -> Goal:
        """Refused before anything moves where the scene does not allow it."""
        wanted = scene_goal(goal, self._robot.table_frame, self.value("tolerance"), self.value("yaw_tolerance"))
        if self._belief is None:
            raise GoalError(NO_GOAL)
        aim_of(wanted, self._belief, *self._region, self._fixtures)
        return wanted

    # -- the latency path ----------------------------------------------------------------------------------------

    def decide(self, belief: Belief, stamp_ns: int, delay: float, arrived: float) -> Command:
        effective_ns = stamp_ns + round(delay * 1e9)
        self._step, status = self._decide(belief, stamp_ns, delay, arrived)
        motion = self._step.motion
        effective = to_msg(effective_ns)
        return Command(
            header=belief.header,
            effective=effective,
            action=((motion.end.values - motion.start.values) / self._bundle.limit).astype(np.float32).tolist(),
            tool_start=tool_message(motion.start),
            tool_end=tool_message(motion.end),
            trajectory=trajectory_message(self._kinematics.joint_names, motion, effective),
            status=status,
            reason=motion.reason,
        )

    def _decide(self, message: Belief, stamp_ns: int, delay: float, arrived: float) -> tuple[SceneStep, int]:
        """What to do with this belief; a hold whenever it is not safe to plan."""
        effective_ns = stamp_ns + round(delay * 1e9)
        if self._pursuit.cancel_requested():
            self._pursuit.end("cancelled")
        problem = self._problem(message, stamp_ns)
        progress = self._pursuit.progress
        if progress is not None:
            progress.passed(stamp_ns)
        if problem:
            self.reject("holds", problem)
            return self._core.hold(effective_ns, problem), Command.HOLD
        if progress is None:
            return self._core.hold(effective_ns), Command.IDLE
        assert self._belief is not None
        progress.update(scene_state(message.objects), stamp_ns)
        if self._core.planner.aim is None:  # accepted before this node was activated anew
            self._core.pursue(progress.goal, self._belief)
        deadline_s = self.deadline_s(arrived)
        try:
            step = self._core.step(self._belief, tool_state(message.tool), stamp_ns, delay, deadline_s)
        except ValueError as error:
            self.reject("planning_errors", str(error))
            return self._core.hold(effective_ns, str(error)), Command.HOLD
        return step, Command.ACTIVE

    def _problem(self, message: Belief, stamp_ns: int) -> str:
        """Why this belief must not move the arm; empty when it may."""
        if message.model_id != self._bundle.id:
            return (
                f"expected beliefs of model '{self._bundle.id}', got '{message.model_id}'; use one bundle in all nodes"
            )
        try:
            self._belief = scene_belief(message)
        except ValueError as error:
            return str(error)
        return "emergency stop" if self._stopped else self.too_old(stamp_ns)

    def concluded(self, belief: Belief) -> None:
        plan, progress = self._step.plan, self._pursuit.progress
        if plan is None or progress is None:
            if progress is not None and progress.timed_out:
                self._pursuit.end("timeout")
            return
        self.timed("plan_ms", plan.plan_ms)
        self.counts["deadline_misses"] += plan.plan_ms > 1e3 * DEADLINE * self._bundle.step_duration
        self._pursuit.feedback(float("nan"), float("nan"), plan.mode.value, plan.progress)
        self._publish_plan(belief, plan)
        if plan.mode is Mode.DONE:
            self._pursuit.end("reached", success=True)
        elif plan.mode is Mode.FAILED:
            self._pursuit.end(plan.reason)
        elif progress.timed_out:
            self._pursuit.end("timeout")

    def _publish_plan(self, belief: Belief, plan: SceneDecision) -> None:
        """The push that was chosen last, as it was imagined; nothing for what is not imagined step by step."""
        if plan.futures is None or plan.mode not in (Mode.TRAVEL, Mode.PUSH) or self._belief is None:
            return
        states, tool = plan.futures.states[:, 0].mean(0), plan.futures.tool[0]
        moves = np.diff(np.concatenate([self._step.motion.start.values[None], tool]), axis=0) / self._bundle.limit
        path = self._belief.along(states)
        self._plans.publish(
            Plan(
                header=belief.header,
                model_id=belief.model_id,
                planner=self.value("planner"),
                step_duration=self._bundle.step_duration,
                horizon=len(tool),
                action_size=len(AXES),
                actions=moves.astype(np.float32).reshape(-1).tolist(),
                objects=track_messages(path),
                tool=tool_messages(ToolState(tool)),
                plan_ms=plan.plan_ms,
            )
        )

    # -- diagnostics ---------------------------------------------------------------------------------------------

    def _report(self) -> None:
        progress = self._pursuit.progress
        mode, summary = self._core.planner.mode.value, "emergency stop" if self._stopped else "idle"
        if progress is not None:
            summary = f"{mode}, {1000 * progress.distance:.0f} mm to the goal"
        misses = self.counts["deadline_misses"] / max(1, self.counts["cycles"])
        self.diagnose(
            WARN if self._stopped or misses > 0.01 else OK,
            summary,
            planner=self.value("planner"),
            delay_ms=f"{1000 * self._delay.delay_s():.1f}",
            **self.record(),
        )


def _warm_up(model: SceneModel, proposals: int, place: np.ndarray) -> None:
    """Imagine a box at a place (2,) [m] for nothing: first calls are slow, and a robot must not wait for them."""
    box = Solid.box((0.05, 0.05, 0.05))
    state = np.zeros((1, OBJECT_STATE.size))
    state[0, :2], state[0, 2], state[0, 6] = place, box.size[2] / 2, 1.0
    shape = box.outline[None], np.array([box.size[2]])
    belief = SceneBelief(("box",), state, np.zeros((1, 2)), *shape, np.zeros((1, 2)), np.ones(1, bool))
    for count, every in ((proposals, False), (Search().samples, True), (1, True)):
        steps = 1 if count == 1 else model.horizon
        model.imagine(
            belief, np.array([*place - 0.03, box.size[2], 0.0, 0.0, 0.0]), np.zeros((count, steps, 6)), every=every
        )


def main() -> int:
    return run(ScenePlannerNode)


if __name__ == "__main__":
    raise SystemExit(main())
