"""The guard as a process of its own, with everything around it, through real DDS. Silence is proven by the message that comes next."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from uuid import uuid4

import pytest
import rclpy
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Command, Intervention

from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.stamps import to_msg, to_ns

CONFIGURE, ACTIVATE, DEACTIVATE = (
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_DEACTIVATE,
)


class Robot:
    """Everything around the guard: planner, joint sensors and arm controller, plus the guard's process."""

    def __init__(self, kinematics, joints, *arguments: str) -> None:
        space = f"guard_{uuid4().hex[:8]}"
        self.node = rclpy.create_node("robot", namespace=space)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.names, self.joints = list(kinematics.joint_names), list(map(float, joints))
        self.send_states = True
        self.sim_ns: int | None = None
        self.ahead_ns = 0  # by which the robot's clock is ahead
        self.trajectories: list[JointTrajectory] = []
        self.executed: list[Command] = []
        self.stopped: list[bool] = []
        self.interventions: list[Intervention] = []
        self.status: list = []
        subscribe = self.node.create_subscription
        subscribe(JointTrajectory, "arm_controller/joint_trajectory", self.trajectories.append, STATE)
        subscribe(Command, "wm/executed", self.executed.append, STATE)
        subscribe(Bool, "wm/e_stopped", lambda m: self.stopped.append(m.data), LATCHED)
        subscribe(Intervention, "wm/intervention", self.interventions.append, STATE)
        subscribe(DiagnosticArray, "diagnostics", lambda m: self.status.append(m.status[0]), STATE)
        self.state_publisher = self.node.create_publisher(JointState, "joint_states", STATE)
        self.command_publisher = self.node.create_publisher(Command, "wm/command", STATE)
        self.clock_publisher = self.node.create_publisher(Clock, "clock", SENSOR)
        self.placed_publisher = self.node.create_publisher(JointState, "arm_placed", LATCHED)
        self.node.create_timer(0.02, self._publish_state)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wm_guard.node", "--ros-args", "-r", f"__ns:=/{space}", "-r", "/clock:=clock"]
            + ["-p", "joint_timeout:=1.0", *arguments]  # this process is slower than the driver of an arm
        )
        self._change = self.node.create_client(ChangeState, "wm_guard/change_state")
        self._state = self.node.create_client(GetState, "wm_guard/get_state")

    def __enter__(self) -> "Robot":
        return self

    def __exit__(self, failure: type | None, *_: object) -> None:
        """End the guard as launch does, and whatever happened leave no process behind."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(20)
        finally:
            self.process.kill()
            self.executor.shutdown()
            self.node.destroy_node()
        assert failure or code == 0

    def until(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.05)

    def transition(self, number: int) -> bool:
        self.ask(self._state, GetState.Request())
        future = self._change.call_async(ChangeState.Request(transition=Transition(id=number)))
        self.until(future.done)
        return future.result().success

    def trigger(self, name: str) -> Trigger.Response:
        return self.ask(self.node.create_client(Trigger, name), Trigger.Request())

    def ask(self, client, request):
        """Call until answered: a server that has not yet discovered the client's reader drops its reply."""
        assert client.wait_for_service(60)
        future = client.call_async(request)
        self.executor.spin_until_future_complete(future, timeout_sec=2.0)
        return future.result() if future.done() else self.ask(client, request)

    def bring_up(self) -> None:
        assert self.transition(CONFIGURE) and self.transition(ACTIVATE)
        self.until(
            lambda: self.command_publisher.get_subscription_count() and self.state_publisher.get_subscription_count()
        )
        self.until(
            lambda: (
                self.node.count_publishers("wm/executed")
                and self.node.count_publishers("wm/intervention")
                and self.node.count_publishers("arm_controller/joint_trajectory")
            )
        )
        self.settle()
        self.forget()  # of a hold in the meantime perhaps only one of its two messages was heard

    def settle(self) -> None:
        """Let the guard see joint states: two reports of its diagnostics later it has."""
        seen = len(self.status)
        self.until(lambda: len(self.status) >= seen + 2)

    def now(self):
        return self.node.get_clock().now().to_msg() if self.sim_ns is None else to_msg(self.sim_ns)

    def place(self) -> None:
        """What a simulator says at a reset."""
        message = JointState(name=self.names, position=self.joints)
        message.header.stamp = self.now()
        self.placed_publisher.publish(message)

    def _follow(self) -> None:
        """The arm goes where it was sent last, with a lag."""
        if self.trajectories:
            target = self.trajectories[-1].points[-1].positions
            self.joints = [q + 0.3 * (goal - q) for q, goal in zip(self.joints, target, strict=True)]

    def _publish_state(self) -> None:
        self._follow()
        if self.sim_ns is not None:
            self.clock_publisher.publish(Clock(clock=self.now()))
        if self.send_states:
            message = JointState(name=[*self.names, "panda_finger_joint1"], position=[*self.joints, 0.0])
            message.header.stamp = to_msg(to_ns(self.now()) + self.ahead_ns)
            self.state_publisher.publish(message)

    def command(self, request, **changes) -> tuple[JointTrajectory, Command]:
        """Send a command and return the one trajectory that answers it, and how the guard reports it."""
        points = [
            JointTrajectoryPoint(positions=list(map(float, p)), time_from_start=Duration(nanosec=t))
            for p, t in zip(request.positions, request.times_ns, strict=True)
        ]
        message = Command(action=[1.0, 0.0], status=Command.ACTIVE, **changes)
        message.trajectory = JointTrajectory(joint_names=list(request.names), points=points)
        message.header.stamp = message.effective = self.now()
        count = len(self.executed)
        self.command_publisher.publish(message)
        self.until(lambda: len(self.executed) > count and len(self.trajectories) >= len(self.executed))
        return self.trajectories[len(self.executed) - 1], self.executed[-1]

    def answered(self) -> bool:
        """Every trajectory has come that was announced: the announcement comes first."""
        return len(self.trajectories) == len(self.executed)

    def forget(self) -> None:
        self.executed.clear()
        self.trajectories.clear()

    def counts(self) -> dict[str, str]:
        self.settle()
        return {entry.key: entry.value for entry in self.status[-1].values}


@pytest.fixture(scope="module")
def guarded_robot(ros, kinematics, start):
    # Longer than the defaults, so that a loaded machine cannot make a test's own messages stale, or its arm too slow.
    # And more commands than a planner sends: some tests send the next one with the answer to the last.
    times = ("-p", "max_age:=1.0", "-p", "timeout:=1.0", "-p", "follow_lag:=1.0")
    with Robot(kinematics, start, *times, "-p", "max_command_rate:=1000") as robot:
        robot.bring_up()
        yield robot


@pytest.fixture
def robot(guarded_robot):
    """The same process for every test, held at the end of each; nothing was measured while another robot was tested."""
    guarded_robot.settle()
    yield guarded_robot
    guarded_robot.until(lambda: guarded_robot.executed[-1].status == Command.HOLD and guarded_robot.answered())
    guarded_robot.forget()
