"""What every planner's node has: the arm and where it is, turns, goals by action, one command for every belief."""

import time
from typing import Protocol

from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header
from wm_msgs.msg import Belief, Command
from wm_msgs.msg import Goal as GoalMessage

from wm_core.clock_offset import ClockOffset
from wm_core.follow_params import FOLLOW
from wm_core.goal import Goal, GoalError
from wm_core.joint_states import MALFORMED, JointStateError, Others
from wm_core.kinematics import Kinematics
from wm_core.lifecycle import WmNode
from wm_core.params import Param
from wm_core.publishers import JOINTS, silent
from wm_core.qos import LATCHED, NEWEST, STATE
from wm_core.robot_source import ROBOT, ROBOT_RETIRED, robot_of
from wm_core.stamps import to_ns
from wm_planner.conversions import sent_motion
from wm_planner.delay import DelayEstimator
from wm_planner.followed_arm import FollowedArm
from wm_planner.pursuit import DEACTIVATED, E_STOPPED, Pursuit
from wm_planner.tool_path import ToolPath
from wm_planner.turns import PATIENCE_S, Turns

DEADLINE = 0.45  # share of a step: what sees and believes needs the rest
ARM_PARAMETERS = (
    *ROBOT,
    Param("joint_topic", "", "joint states of the arm; empty: as the robot's profile says"),
    Param(
        "lockstep",
        False,
        "simulated time stands still while computing: only the arm's lag to compensate, no deadline",
    ),
    Param("arm_lag", 0.0, "[s] that the arm is behind its commands: half of the guard's smoothing and 10 ms", 0.0, 0.5),
    Param("initial_delay", 0.04, "[s] assumed from camera to command before it is measured", 0.0, 1.0),
    Param("belief_timeout", 0.3, "[s] an older belief is answered with a hold", 0.01, 10.0),
    Param("planning_time", 0.0, f"[s] deadline, from a belief on; 0: {DEADLINE:g} of the bundle's step", 0.0, 10.0),
    *FOLLOW,
    Param("threads", 1, "onnxruntime threads of the rollouts", 1, 64),
)


class Core(Protocol):
    """What plans: it keeps a path of the tool, and what was commanded."""

    tool_path: ToolPath

    def forget(self) -> None:
        """The arm is not where it was sent: what was commanded is of no use."""


class OfModel(Protocol):
    """A bundle of any kind."""

    @property
    def id(self) -> str: ...

    @property
    def step_duration(self) -> float: ...


class PlanningNode(WmNode):
    """Subclasses say how they plan: `prepare` in their setup, then `ready`, `decide` and `concluded` for every belief."""

    RETIRED = ROBOT_RETIRED

    # What plans now, and with which bundle.
    _core: Core
    _bundle: OfModel

    # -- for subclasses ------------------------------------------------------------------------------------------

    def begin_goal(self) -> None:
        """A goal was accepted."""
        raise NotImplementedError

    def accept(self, goal: GoalMessage) -> Goal:
        """The goal of a message; raises GoalError."""
        raise NotImplementedError

    def ready(self, belief: Belief) -> bool:
        """Whether this belief can be answered."""
        return True

    def decide(self, belief: Belief, stamp_ns: int, delay: float, arrived: float) -> Command:
        """The command that answers a belief that came at `arrived` (time.monotonic); it takes effect `delay` [s] after its stamp."""
        raise NotImplementedError

    def concluded(self, belief: Belief) -> None:
        """The command is published: everything else that is to be said of it, and the ends of goals."""

    def prepare(self, time_limit: float, cycles: int) -> None:
        """Everything around the planning; `cycles`: within the tolerances until a goal is reached."""
        self._delay = DelayEstimator(self.value("initial_delay"), self._bundle.step_duration)
        self._arm = FollowedArm(
            self._kinematics,
            self.value("lockstep"),
            tolerance=self.value("follow_tolerance"),
            lag=self.value("follow_lag"),
            confirm=self.value("confirm_time"),
        )
        self._stopped, self._robot_clock = False, ClockOffset("joint states")
        self._commands = self.publisher(Command, "wm/command", STATE)
        self._answered = Header()
        self._pursuit = Pursuit(self, self._accept, time_limit, cycles, lambda: self._answered, lambda: self._bundle.id)
        self._pursuit.on_start = self.begin_goal
        # Beliefs last: the executor serves what has arrived in this order.
        joints = self.value("joint_topic") or self._robot.joint_topic
        self._joint_topic = self.subscribe_offered(JointState, joints, self._on_joints).topic_name
        self._executed = self.subscribe(Command, "wm/executed", self._on_executed, STATE)
        self.subscribe(Bool, "wm/e_stopped", self._on_e_stopped, LATCHED)
        self.subscribe(Belief, "wm/belief", self._on_belief, NEWEST)
        if self.value("lockstep"):
            self.every(0.1, self._take_turn, wall=True)

    def use_robot(self) -> None:
        """The robot of the parameters."""
        self._robot = robot_of(self)
        self._kinematics, self._others = Kinematics(self._robot), Others(self._robot)

    def deadline_s(self, arrived: float) -> float | None:
        """When (time.monotonic) the answer to a belief that came at `arrived` is to be ready; None: whenever it is."""
        budget = self.value("planning_time") or DEADLINE * self._bundle.step_duration
        return None if self.value("lockstep") else arrived + budget

    def age(self, stamp_ns: int) -> float:
        """[s] since a measurement, by the robot's clock where that is ahead; one that seems to come from the future is new."""
        return max(0.0, (self.get_clock().now().nanoseconds + self._robot_clock.ahead_ns - stamp_ns) / 1e9)

    def too_old(self, stamp_ns: int) -> str:
        """Why a belief is too old to move the arm; empty where it is not."""
        age = self.age(stamp_ns)
        if self.value("lockstep") or age <= self.value("belief_timeout"):
            return ""
        return f"expected a belief younger than {self.value('belief_timeout')} s, got one of {age:.2f} s"

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._turns: Turns[Belief] = Turns(PATIENCE_S if self.value("lockstep") else 0.0)

    def stop(self) -> None:
        self._pursuit.end(DEACTIVATED)

    def teardown(self) -> None:
        if hasattr(self, "_pursuit"):
            self._pursuit.destroy()
            del self._pursuit

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
        if not self.ready(belief):
            return
        stamp_ns = to_ns(belief.header.stamp)
        if not self._arm.known(stamp_ns):
            if self.counts["unconfirmed_joint_state"]:  # they are on the way
                self.counts["no_joint_state"] += 1
            else:
                none = silent(self, self._joint_topic, JOINTS, "joint_topic")
                self.reject("no_joint_state", f"expected a joint state before the first command, none yet: {none}")
            return
        self._follow_arm(stamp_ns)
        delay = 0.0 if self.value("lockstep") else self._delay.delay_s(self.age(stamp_ns))
        self._commands.publish(self.decide(belief, stamp_ns, delay + self.value("arm_lag"), arrived))
        self._turns.sent(stamp_ns)
        if not self.value("lockstep"):
            self._delay.measured(self.age(stamp_ns), time.monotonic() - arrived)
        self._answered = belief.header
        self.counts["cycles"] += 1
        self.concluded(belief)

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
        if not self.simulated_time:
            self._robot_clock.heard(stamp_ns, self.get_clock().now().nanoseconds)
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
        path = self._core.tool_path
        known = path.anchored
        if self._arm.anchor(path, stamp_ns, self._pursuit.progress is not None):
            self.counts["reanchored"] += known
            self._core.forget()

    def _on_e_stopped(self, message: Bool) -> None:
        if message.data and not self._stopped:
            self._pursuit.end(E_STOPPED)
        self._stopped = message.data

    def _accept(self, goal: GoalMessage) -> Goal:
        if self._stopped:
            raise GoalError("the emergency stop is set; reset it with wm/e_stop_reset first")
        return self.accept(goal)
