"""The guard as a process of its own, through real DDS. Silence is proven by the message that comes next."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
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
from wm_msgs.msg import Command, GuardState, Intervention

from wm_core.executed import nothing_sent
from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.robot import load_robot
from wm_core.stamps import to_msg, to_ns

pytestmark = pytest.mark.ros

CONFIGURE, ACTIVATE, DEACTIVATE = (
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_DEACTIVATE,
)


@pytest.fixture(scope="module")
def ros():
    rclpy.init()
    yield
    rclpy.try_shutdown()


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


@pytest.fixture
def lockstep(ros, kinematics, start):
    with Robot(kinematics, start, "-p", "use_sim_time:=true") as robot:
        robot.sim_ns = 5_000_000_000
        robot.place()
        robot.bring_up()
        yield robot


def position(point) -> list[float]:
    return [point.x, point.y, point.z]


def test_commands_pass_or_are_replaced_by_a_hold(robot, kinematics, start, step):
    trajectory, executed = robot.command(step(dx=0.02))
    assert trajectory.joint_names == list(kinematics.joint_names)
    assert list(trajectory.points[-1].positions) == pytest.approx(list(step(dx=0.02).positions[0]))
    assert not any(trajectory.points[-1].velocities) and any(trajectory.points[5].velocities)
    assert executed.status == Command.ACTIVE and executed.reason == ""
    (commanded,) = executed.trajectory.points  # in straight lines: the arm's way is smooth
    assert commanded.positions == trajectory.points[-1].positions and not commanded.velocities
    assert position(executed.tool_start.position) == pytest.approx([0.45, 0, 0.1], abs=1e-3)
    assert position(executed.tool_end.position) == pytest.approx([0.47, 0, 0.1], abs=1e-3)

    trajectory, executed = robot.command(step(dx=0.07))  # 0.5 m/s and more from where the arm is now commanded to be
    assert executed.status == Command.ACTIVE and list(executed.action) == [1.0, 0.0]

    low = step(dz=-0.099)  # 1 mm over the table
    trajectory, executed = robot.command(low)
    assert executed.status == Command.HOLD and executed.reason.startswith("workspace")
    assert list(executed.action) == [0.0, 0.0]
    assert executed.tool_end.position.z == pytest.approx(0.1, abs=0.01)
    assert list(trajectory.points[-1].positions) != pytest.approx(list(low.positions[0]))
    assert robot.counts()["workspace"] == "1"


def test_silence_is_answered_with_one_hold_and_the_next_command_recovers(robot, step):
    robot.command(step(dx=0.02))
    robot.until(lambda: len(robot.executed) == 2)
    assert robot.executed[1].status == Command.HOLD and robot.executed[1].reason.startswith("no_command")
    robot.settle()
    assert "holding: no_command" in robot.status[-1].message
    _, sentinel = robot.command(step(dx=0.01))
    assert sentinel.status == Command.ACTIVE
    assert len(robot.executed) == len(robot.trajectories) == 3  # nothing came between


def test_a_dead_or_lying_joint_sensor_holds_the_arm(robot, step):
    robot.command(step(dx=0.02))
    good = robot.joints[3]
    robot.joints[3] = float("nan")
    while robot.executed[-1].status != Command.HOLD:
        robot.command(step(dx=0.02))
    assert robot.executed[-1].reason.startswith("no_state")
    robot.joints[3] = good
    while robot.executed[-1].status != Command.ACTIVE:
        robot.command(step(dx=0.02))
    counts = robot.counts()
    assert int(counts["state_not_finite"]) > 5 and int(counts["no_state"]) >= 1


def test_a_second_publisher_of_joint_states_is_named_and_not_believed(robot, step):
    """A driver with default values: the next hold would have driven the arm to the zero pose in 0.1 s."""
    space = robot.node.get_namespace()
    impostor = rclpy.create_node("impostor", namespace=space)
    publisher = impostor.create_publisher(JointState, "joint_states", STATE)

    def lie() -> None:
        message = JointState(name=robot.names, position=[0.0] * 7)
        message.header.stamp = robot.now()
        publisher.publish(message)

    timer = robot.node.create_timer(0.005, lie)
    robot.until(lambda: publisher.get_subscription_count())
    while robot.command(step(dx=0.01))[1].status != Command.ACTIVE:
        pass
    robot.until(lambda: robot.executed[-1].status == Command.HOLD and robot.answered())  # the watchdog
    held = robot.trajectories[-1].points[-1].positions
    assert list(held) == pytest.approx(list(step(dx=0.01).positions[0]), abs=0.01)
    robot.settle()
    robot.until(lambda: f"{space}/impostor, {space}/robot" in robot.status[-1].message)
    assert int(robot.counts()["state_implausible"]) > 10
    robot.node.destroy_timer(timer)
    impostor.destroy_node()


def test_an_emergency_stop_outlives_the_guard(ros, kinematics, start, tmp_path):
    """The guard that is started next is stopped from its first moment, whoever has forgotten; a reset ends it for good."""
    kept = tmp_path / "stopped"
    for _ in range(2):
        with Robot(kinematics, start, "-p", f"stop_file:={kept}") as robot:
            assert robot.transition(CONFIGURE) and robot.transition(ACTIVATE)
            robot.until(lambda: robot.stopped)
            assert robot.stopped == [kept.exists()]
            assert robot.trigger("wm/e_stop").success and kept.exists()
    with Robot(kinematics, start, "-p", f"stop_file:={kept}") as robot:
        assert robot.transition(CONFIGURE) and robot.transition(ACTIVATE)
        robot.until(lambda: robot.stopped == [True])
        assert robot.trigger("wm/e_stop_reset").message.startswith("reset") and not kept.exists()


def test_the_emergency_stop_latches(robot, step):
    robot.command(step(dx=0.02))
    for _ in range(2):  # again is no second stop
        assert robot.trigger("wm/e_stop").success
    robot.until(lambda: robot.stopped and robot.stopped[-1])
    robot.until(lambda: robot.executed[-1].reason.startswith("e_stop"))
    for _ in range(2):
        _, executed = robot.command(step(dx=0.01))
        assert executed.status == Command.HOLD and executed.reason.startswith("e_stop")
    late: list[bool] = []
    robot.node.create_subscription(Bool, "wm/e_stopped", lambda m: late.append(m.data), LATCHED)
    robot.until(lambda: late)
    assert late == [True]
    assert robot.trigger("wm/e_stop_reset").success
    robot.until(lambda: not robot.stopped[-1])
    while robot.command(step(dx=0.01))[1].status != Command.ACTIVE:  # joint states may have grown old in these calls
        assert not robot.executed[-1].reason.startswith("e_stop")
    assert not robot.trigger("wm/e_stop_reset").message.startswith("reset")
    stop_and_reset = [Intervention.E_STOP, Intervention.E_STOP_RESET]
    robot.until(lambda: [each.kind for each in robot.interventions if each.kind in stop_and_reset] == stop_and_reset)


def test_the_state_is_latched_and_a_latch_is_cleared_by_a_service(robot, step):
    states: list[GuardState] = []
    robot.node.create_subscription(GuardState, "wm/guard_state", states.append, LATCHED)
    robot.until(lambda: states)
    robot.command(step(dx=0.02))
    robot.until(lambda: states[-1].state == GuardState.RUNNING and states[-1].speed_scale == 1.0)
    robot.until(lambda: states[-1].state == GuardState.HOLDING and list(states[-1].reasons) == ["no_command"])
    assert robot.trigger("wm/e_stop").success
    robot.until(lambda: states[-1].state == GuardState.STOPPED and list(states[-1].reasons) == ["e_stop"])
    answer = robot.trigger("wm/clear")
    assert not answer.success and "wm/e_stop_reset" in answer.message
    assert robot.trigger("wm/e_stop_reset").success
    assert robot.trigger("wm/clear").success
    robot.until(lambda: states[-1].state == GuardState.HOLDING)
    robot.command(step(dx=0.02))
    robot.until(lambda: states[-1].state == GuardState.RUNNING)
    assert robot.transition(DEACTIVATE)
    robot.until(lambda: states[-1].state == GuardState.HOLDING and list(states[-1].reasons) == ["deactivated"])
    assert robot.transition(ACTIVATE)


def test_a_second_publisher_of_commands_is_named_and_moves_nothing(robot, step):
    robot.command(step(dx=0.02))
    space = robot.node.get_namespace()
    impostor = rclpy.create_node("impostor", namespace=space)
    publisher = impostor.create_publisher(Command, "wm/command", STATE)
    robot.until(lambda: publisher.get_subscription_count())

    def rogue() -> None:
        request = step(dx=-0.05)
        message = Command(action=[1.0, 0.0], status=Command.ACTIVE)
        points = [
            JointTrajectoryPoint(
                positions=list(map(float, request.positions[0])), time_from_start=Duration(nanosec=10**8)
            )
        ]
        message.trajectory = JointTrajectory(joint_names=list(request.names), points=points)
        message.header.stamp = message.effective = robot.now()
        publisher.publish(message)

    while robot.command(step(dx=0.02))[1].status != Command.ACTIVE:
        pass
    count = len(robot.executed)
    for _ in range(3):
        rogue()
        _, executed = robot.command(step(dx=0.02))
        assert executed.status == Command.ACTIVE and executed.tool_end.position.x > 0.46
    assert len(robot.executed) == count + 3
    assert int(robot.counts()["second_publisher"]) == 3
    robot.until(lambda: f"{space}/impostor, {space}/robot" in str(robot.status[-1].values))
    impostor.destroy_node()


def test_a_flood_of_commands_is_dropped(ros, kinematics, start, step):
    with Robot(kinematics, start, "-p", "max_age:=1.0", "-p", "timeout:=1.0", "-p", "max_command_rate:=5") as robot:
        robot.bring_up()
        message = Command(action=[0.0, 0.0], status=Command.ACTIVE)
        for _ in range(10):  # as many as a publisher keeps
            robot.command_publisher.publish(message)
        robot.until(lambda: len(robot.executed) >= 5)
        assert int(robot.counts()["flood"]) >= 3 and len(robot.executed) <= 7


def test_deactivation_holds_the_arm(robot, step):
    robot.command(step(dx=0.02))
    assert robot.transition(DEACTIVATE)
    robot.until(lambda: robot.executed[-1].reason.startswith("deactivated") and robot.answered())
    assert robot.transition(ACTIVATE)


def test_in_lockstep_the_watchdog_waits_for_simulated_time(lockstep, step):
    lockstep.command(step(dx=0.01))
    lockstep.settle()  # more than a second of real time passes
    _, sentinel = lockstep.command(step(dx=0.02))
    assert sentinel.status == Command.ACTIVE and len(lockstep.trajectories) == 2
    lockstep.sim_ns += 100_000_000
    lockstep.settle()
    assert len(lockstep.trajectories) == 2
    lockstep.sim_ns += 200_000_000
    lockstep.until(lambda: len(lockstep.executed) == 3)
    assert lockstep.executed[-1].reason.startswith("no_command")


def test_a_bad_workspace_is_refused_by_name(ros, kinematics, start):
    with Robot(kinematics, start, "-p", "workspace_min:=[0.9, 0.0, 0.0]") as robot:
        assert not robot.transition(CONFIGURE)
        robot.until(lambda: robot.status and "workspace_min" in robot.status[-1].message)
        assert robot.process.poll() is None


@pytest.mark.parametrize("velocity", ["0", "inf"])
def test_a_robot_without_velocity_limits_is_refused_by_name(ros, kinematics, start, tmp_path, velocity):
    urdf = tmp_path / "arm.urdf"
    urdf.write_text(re.sub('velocity="[^"]*"', f'velocity="{velocity}"', Path(load_robot().urdf).read_text(), count=3))
    with Robot(kinematics, start, "-p", f"urdf:={urdf}") as robot:
        assert not robot.transition(CONFIGURE)
        robot.until(lambda: robot.status and "panda_joint2" in robot.status[-1].message)
        assert "limits.velocity" in robot.status[-1].message


def test_the_topics_are_parameters(ros, kinematics, start):
    topics = ("-p", "joint_topic:=driver/states", "-p", "trajectory_topic:=driver/go", "-p", "placed_topic:=placed")
    with Robot(kinematics, start, *topics) as robot:
        assert robot.transition(CONFIGURE)
        space, count = robot.node.get_namespace(), robot.node.count_subscribers
        robot.until(lambda: count(f"{space}/driver/states") == count(f"{space}/placed") == 1)
        robot.until(lambda: robot.node.count_publishers(f"{space}/driver/go") == 1)
        assert not robot.state_publisher.get_subscription_count()


def test_a_command_is_answered_where_not_even_a_hold_can_be_sent(ros, kinematics, start, step):
    """Before the first joint state: the planner, which in lockstep awaits an answer, hears that nothing became of its command."""
    with Robot(kinematics, start) as robot:
        robot.send_states = False
        robot.bring_up()
        message = Command(action=[1.0, 0.0], status=Command.ACTIVE)
        message.trajectory = JointTrajectory(joint_names=list(step().names), points=[])
        message.header.stamp = robot.now()
        robot.command_publisher.publish(message)
        robot.until(lambda: robot.executed)
        executed = robot.executed[0]
        assert nothing_sent(executed) and executed.header.stamp == message.header.stamp
        assert executed.reason.endswith("nothing sent: no joint state yet") and not robot.trajectories


def test_a_robots_clock_that_is_ahead_is_reported_with_the_remedy(ros, kinematics, start):
    """Its controller refused every trajectory as past, while the guard said "passing" and nothing else."""
    with Robot(kinematics, start) as robot:
        robot.bring_up()
        assert "clock" not in robot.status[-1].message
        robot.ahead_ns = 150_000_000
        robot.until(lambda: "ahead of this machine's" in robot.status[-1].message)
        found = re.search(
            r"the clock of the joint states is (\d+) ms ahead of this machine's.*chrony", robot.status[-1].message
        )
        assert found and 100 < int(found[1]) <= 150


def test_best_effort_joint_states_beside_a_grippers_own_are_heard(ros, kinematics, start):
    times = ("-p", "max_age:=1.0", "-p", "timeout:=1.0", "-p", "follow_lag:=1.0")
    with Robot(kinematics, start, *times) as robot:
        robot.node.destroy_publisher(robot.state_publisher)
        robot.state_publisher = robot.node.create_publisher(JointState, "joint_states", SENSOR)
        robot.bring_up()
        gripper = JointState(name=["panda_finger_joint1", "panda_finger_joint2"], position=[0.02, 0.02])
        other = JointState(name=["robotiq_85_left_knuckle_joint"], position=[0.4])  # is none of the profile's
        gripper.header.stamp.sec = other.header.stamp.sec = 5  # since it was switched on
        for _ in range(20):
            robot.state_publisher.publish(gripper)
            robot.state_publisher.publish(other)
            robot.executor.spin_once(timeout_sec=0.02)
        counts = robot.counts()
        assert "state_names" not in counts and "state_stale" not in counts
        assert robot.stopped == [False]
