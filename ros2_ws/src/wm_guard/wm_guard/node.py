"""The wm_guard node: wm/command in, arm_controller/joint_trajectory and wm/executed out, in a process of its own."""

import os
import time
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory
from wm_msgs.msg import Command, GuardState, Intervention

from wm_core.joint_states import JointStateError, read_joints
from wm_core.kinematics import Kinematics
from wm_core.lifecycle import ERROR, OK, WARN, WmNode
from wm_core.node_process import run
from wm_core.params import Param
from wm_core.qos import LATCHED, STATE
from wm_core.robot_source import ROBOT, ROBOT_RETIRED, robot_of
from wm_core.stamps import to_msg, to_ns
from wm_guard import limit_input, permission_input, senses
from wm_guard.command_stream import CommandStream
from wm_guard.controller_input import ControllerInput
from wm_guard.conversions import to_executed, to_guard_state, to_request, to_trajectory
from wm_guard.gripper_output import GripperOutput
from wm_guard.guard import Guard
from wm_guard.interventions import Interference, Interventions
from wm_guard.joint_input import JointInput, names_of_publishers
from wm_guard.latches import E_STOP
from wm_guard.states import GuardStatus, State
from wm_guard.stop_memory import StopMemory
from wm_guard.verdicts import Kind, Mode, Verdict

PRIORITY = 30  # real-time, below the 50 of ros2_control's controller manager
LIMITED_EVERY_S = 10.0  # at most, in the log
LATE_NS = 10_000_000  # after which a motion that was planned to begin now is planned again


class GuardNode(WmNode):
    """Answers every command with exactly one trajectory (passed, slowed or a hold); holds the arm on silence."""

    PARAMETERS = (
        *ROBOT,
        Param("joint_topic", "", "Joint states of the arm; empty: as the robot's profile says"),
        Param("trajectory_topic", "", "What the arm's controller listens to; empty: as the robot's profile says"),
        Param("placed_topic", "arm_placed", "Where a simulator says that a reset has put the arm"),
        Param("step_duration", 0.1, "[s] Length of a hold trajectory", 0.01, 2.0),
        *limit_input.PARAMETERS,
        Param("max_command_rate", 50, "Commands a second, more are dropped", 2, 1000),
        Param(
            "stop_file", "", "Exists while the emergency stop is set, for the guard that is started next; empty: none"
        ),
        *senses.PARAMETERS,
        *permission_input.PARAMETERS,
    )
    RETIRED = ROBOT_RETIRED
    CHANGEABLE = False  # who sets a limit that does nothing believes that the arm keeps it

    def __init__(self, **kwargs) -> None:
        super().__init__("wm_guard", **kwargs)

    def create_subscription(self, msg_type: Any, topic: str, *args: Any, **kwargs: Any) -> Any:
        """As of any node, but no mismatch of QoS is watched for: each watch costs time at every message, and wakes who polls."""
        kwargs.setdefault("event_callbacks", SubscriptionEventCallbacks(use_default_callbacks=False))
        return super().create_subscription(msg_type, topic, *args, **kwargs)

    def create_publisher(self, msg_type: Any, topic: str, *args: Any, **kwargs: Any) -> Any:
        """See create_subscription; but for the arm's controller, whose silence would be a riddle."""
        if msg_type is not JointTrajectory:
            kwargs.setdefault("event_callbacks", PublisherEventCallbacks(use_default_callbacks=False))
        return super().create_publisher(msg_type, topic, *args, **kwargs)

    def setup(self) -> None:
        robot = robot_of(self)
        self._kinematics = Kinematics(robot)
        limits = limit_input.limits_of(self, robot)
        self._senses = senses.Senses(self, self._kinematics, limits, self._now, self._on_contact)
        self.guard = Guard(self._kinematics, limits, self.value("step_duration"), self._senses.surroundings)
        self._memory = StopMemory(self.value("stop_file"))
        if self._memory.stopped:
            self.guard.e_stop(self._now())
            self.get_logger().warning(
                "the emergency stop was set when the guard before this one ended: it is set again"
            )
        self._permission = permission_input.PermissionInput(self, self.guard)
        self._frame = robot.table_frame
        trajectory_topic = self.value("trajectory_topic") or robot.controller_topic
        self._arm = self.publisher(JointTrajectory, trajectory_topic, STATE)
        self._gripper = GripperOutput(self, robot)
        self._controller = ControllerInput(self, self._arm, self.guard.permission.controller)
        self._executed = self.publisher(Command, "wm/executed", STATE)
        self._e_stopped = self.publisher(Bool, "wm/e_stopped", LATCHED)
        self._interventions = Interventions()
        self._intervened = self.publisher(Intervention, "wm/intervention", STATE)
        # Heard while inactive too: whoever says it may say it once, before the guard is activated.
        self._placed = self.create_subscription(JointState, self.value("placed_topic"), self._on_placed, LATCHED)
        joint_topic = self.value("joint_topic") or robot.joint_topic
        self._joint_states = JointInput(self, robot, joint_topic, self._on_joint_state)
        self._stream = CommandStream(self.value("max_command_rate"))
        admitted = self._guarded(self._on_command, "wm/command")
        self._commands = self.create_subscription(Command, "wm/command", lambda m, info: admitted(m, info), STATE)
        self._guard_states = self.publisher(GuardState, "wm/guard_state", LATCHED)
        self._shown: GuardStatus | None = None
        self.service(Trigger, "wm/e_stop", self._on_e_stop)
        self.service(Trigger, "wm/e_stop_reset", self._on_e_stop_reset)
        self.every(limits.watchdog_period, self._look, wall=True)
        self.service(Trigger, "wm/clear", self._on_clear)
        self.every(0.1, self._publish_state, wall=True)
        self.every(0.5, self._report, wall=True)

    def start(self) -> None:
        self._joint_states.discard()  # nobody looked while it was inactive
        self._controller.discard()
        self._permission.discard()
        # Not before: whoever restarts a guard that died while stopped stops the new one first, and nobody shall think it reset.
        self._e_stopped.publish(Bool(data=E_STOP in self.guard.latches.held))

    def teardown(self) -> None:
        for name in ("_placed", "_commands"):
            if hasattr(self, name):
                self.destroy_subscription(getattr(self, name))
                delattr(self, name)

    def stop(self) -> None:
        self._send(self.guard.hold("deactivated", self._now()), None)
        self._publish_state()

    # -- callbacks -----------------------------------------------------------------------------------------------

    def _on_joint_state(self, message: JointState, stamp_ns: int) -> bool:
        believed = self.guard.observe(message.name, message.position, stamp_ns, self._now(), message.velocity)
        if believed:
            self._senses.joint_state(message, stamp_ns)
        return believed

    def _on_contact(self, text: str) -> None:
        if "contact" not in self.guard.latches.held:
            verdict = self.guard.latch("contact", text, self._now())
            self._send(verdict, None)
            self._tell(verdict)
            self.get_logger().error(f"stopped: {text}; call wm/clear to go on")

    def _on_placed(self, message: JointState) -> None:
        try:
            joints = read_joints(self._kinematics, message.name, message.position)
        except JointStateError as error:
            self.get_logger().warning(f"{self.value('placed_topic')}: {error}")
            return
        self._senses.contact.forget()
        self.guard.place(joints, to_ns(message.header.stamp), self._now())

    def _on_command(self, message: Command, info: dict[str, Any]) -> None:
        number, received_ns = info.get("publication_sequence_number"), time.monotonic_ns()
        if self._stream.is_other(number, self._commands.get_publisher_count() < 2, received_ns):
            self.reject(
                "second_publisher",
                f"expected one publisher of wm/command, found {', '.join(names_of_publishers(self, self._commands.topic_name))}",
            )
            return
        if self._stream.is_flood(self._now()):
            self.reject(
                "flood", f"expected at most {self.value('max_command_rate')} commands a second, dropped those above"
            )
            return
        self._read()
        verdict = self._judge(message)
        self._send(verdict, message)
        self._tell(verdict)

    def _judge(self, message: Command) -> Verdict:
        """Twice where this process was kept waiting meanwhile: the arm would leap to a motion that comes late."""
        request, stamp_ns, now_ns = to_request(message.trajectory), to_ns(message.header.stamp), self._now()
        verdict = self.guard.check(request, stamp_ns, now_ns, message.status)
        if self._now() - now_ns > LATE_NS:
            self.guard.withdraw()
            verdict = self.guard.check(request, stamp_ns, self._now(), message.status)
        return verdict

    def _look(self) -> None:
        """What was measured, then whether the arm may go on."""
        self._read()
        verdict = self.guard.watchdog(self._now())
        if verdict is not None:
            self._send(verdict, None)
            self._tell(verdict)
            log = self.get_logger().debug if verdict.expected else self.get_logger().warning
            log(f"holding: {verdict.text}")

    def _read(self) -> None:
        self._controller.read()
        self._permission.read()
        self._joint_states.read()

    def _on_e_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        was_stopped = E_STOP in self.guard.latches.held
        try:
            verdict = self.guard.e_stop(self._now())
        finally:  # latched already, and reported whatever else may fail
            self._e_stopped.publish(Bool(data=True))
            self._remember_stop(True)
        self._send(verdict, None)
        if not was_stopped:  # asked for again, as by who missed the answer, it goes on
            self._tell(verdict)
        self._report()
        self.get_logger().warning(verdict.text)
        response.success, response.message = True, f"{verdict.text}; call wm/e_stop_reset to go on"
        return response

    def _on_e_stop_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        was_stopped = E_STOP in self.guard.latches.held
        self.guard.reset_e_stop()
        response.success = True
        response.message = "reset" if was_stopped else "the emergency stop was not set"
        if held := self.guard.latches.held:
            response.message += f"; still stopped: {'; '.join(held.values())}; call wm/clear"
        elif was_stopped:
            response.message += "; moves on with the next valid command"
        self._remember_stop(False)
        if was_stopped:
            self._intervene(Interference.E_STOP_RESET, "wm/e_stop_reset")
        self._e_stopped.publish(Bool(data=False))
        self._report()
        return response

    def _on_clear(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        was = ", ".join(self.guard.latches.held)
        problem = self.guard.clear(self._now())
        if "contact" not in self.guard.latches.held:
            self._senses.contact.excuse()
        response.success = not problem
        response.message = problem or (
            f"cleared {was}; moves on with the next valid command" if was else "was not stopped"
        )
        self._report()
        return response

    # -- inside --------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        """By the robot's clock where that is ahead: its controller takes what is stamped by this one for the past."""
        ahead_ns = self._joint_states.ahead_ns if hasattr(self, "_joint_states") else 0
        return self.get_clock().now().nanoseconds + ahead_ns

    def _send(self, verdict: Verdict, command: Command | None) -> None:
        """Nothing is sent without a known position; where that answers a command, it is said. What is sent is published on
        `wm/executed` first: whatever the arm's motion causes comes later for everybody, so that a lockstep run is the same each
        time.
        """
        if verdict.motion is not None and verdict.sent is not None:
            commanded = to_trajectory(verdict.motion, self.guard.joint_names, self._frame)
            self._executed.publish(to_executed(verdict, commanded, command))
            self._gripper.send(verdict, command)
            self._arm.publish(to_trajectory(verdict.sent, self.guard.joint_names, self._frame))
        elif command is not None:  # the planner awaits what becomes of it
            self._executed.publish(to_executed(verdict, JointTrajectory(), command))
        if command is not None and verdict.reason:
            text = f"{verdict.kind.value}: {verdict.reason}: {verdict.text}"
            if verdict.expected:
                self.get_logger().debug(text)
            elif verdict.kind is Kind.LIMITED:  # its daily work, published as interventions
                self.get_logger().info(text, throttle_duration_sec=LIMITED_EVERY_S)
            else:
                self.get_logger().warning(text, throttle_duration_sec=1.0)

    def _tell(self, verdict: Verdict) -> None:
        """Publish an intervention where one begins."""
        if self.guard.status != self._shown:
            self._publish_state()
        kind = self._interventions.begins(verdict, self._now())
        if kind is not None:
            self._intervene(kind, f"{verdict.reason}: {verdict.text}")

    def _intervene(self, kind: Interference, reason: str) -> None:
        header = Header(stamp=to_msg(self._now()), frame_id=self._frame)
        self._intervened.publish(
            Intervention(header=header, kind=kind.value, source=self.get_fully_qualified_name(), reason=reason)
        )

    def _remember_stop(self, stopped: bool) -> None:
        try:
            self._memory.keep(stopped)
        except OSError as error:
            self.get_logger().error(f"the next guard will not know of it: cannot keep the emergency stop: {error}")

    def _report(self) -> None:
        level = {State.STOPPED: ERROR, State.HOLDING: WARN}.get(self.guard.status.state, OK)
        if self.guard.mode is Mode.WAITING:
            level = OK
        reason = f": {self.guard.reason}" if self.guard.reason and level is not OK else ""
        values: dict[str, Any] = {**self.guard.counts, **self.record()}
        summary = f"{self.guard.mode.value}{reason}"
        problems = self._joint_states.problems()
        if problems:
            level = max(level, WARN)
        real_time = os.sched_getscheduler(0) == os.SCHED_FIFO
        self.diagnose(level, "; ".join([summary, *problems.values()]), real_time=real_time, **values, **problems)

    def _publish_state(self) -> None:
        self._shown = self.guard.status
        self._guard_states.publish(to_guard_state(self._shown, to_msg(self._now()), self._frame))


def main() -> int:
    return run(GuardNode, priority=PRIORITY)


if __name__ == "__main__":
    raise SystemExit(main())
