"""The guard's process and commands: what passes, what is replaced by a hold, and what silence does."""

import guard_process
import pytest
import rclpy
from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Command

from wm_core.executed import nothing_sent
from wm_core.qos import STATE

Robot, guarded_robot = guard_process.Robot, guard_process.guarded_robot
robot = guard_process.robot

pytestmark = pytest.mark.ros


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
