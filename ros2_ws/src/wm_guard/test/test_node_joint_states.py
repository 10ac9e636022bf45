"""The guard's process and joint states: dead, lying, of two publishers, of another clock, beside those of a gripper."""

import re
from types import SimpleNamespace

import guard_process
import pytest
import rclpy
from sensor_msgs.msg import JointState
from wm_msgs.msg import Command

from wm_core.qos import SENSOR, STATE
from wm_core.stamps import to_msg, to_ns

Robot, guarded_robot = guard_process.Robot, guard_process.guarded_robot
robot = guard_process.robot

pytestmark = pytest.mark.ros


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
    assert list(held) == pytest.approx(list(step(dx=0.01).positions[0]), abs=0.05)  # on its way there
    robot.settle()
    robot.until(lambda: f"{space}/impostor, {space}/robot" in robot.status[-1].message)
    assert int(robot.counts()["state_implausible"]) > 10
    robot.node.destroy_timer(timer)
    impostor.destroy_node()


def test_a_liar_that_follows_each_true_state_closely_does_not_keep_them_out(robot, step):
    """States closer than 4 ms to one that is believed are left out; one that is not believed must not have that effect."""
    impostor = rclpy.create_node("impostor", namespace=robot.node.get_namespace())
    liar, truth = impostor.create_publisher(JointState, "joint_states", STATE), robot.state_publisher

    def both(message: JointState) -> None:
        truth.publish(message)
        lie = JointState(name=robot.names, position=[0.0] * 7)
        lie.header.stamp = to_msg(to_ns(message.header.stamp) + 2_000_000)
        liar.publish(lie)

    robot.until(liar.get_subscription_count)
    robot.state_publisher = SimpleNamespace(publish=both)
    robot.settle()
    passed = [robot.command(step(dx=0.01))[1].status == Command.ACTIVE for _ in range(10)]
    assert sum(passed) > 5
    robot.state_publisher = truth
    impostor.destroy_node()


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
    """Drivers of arm and gripper publish on one topic: that is no second publisher of the arm's."""
    times = ("-p", "max_age:=1.0", "-p", "timeout:=1.0", "-p", "follow_lag:=1.0")
    with Robot(kinematics, start, *times) as robot:
        robot.node.destroy_publisher(robot.state_publisher)
        robot.state_publisher = robot.node.create_publisher(JointState, "joint_states", SENSOR)
        robot.bring_up()
        gripper = JointState(name=["panda_finger_joint1", "panda_finger_joint2"], position=[0.02, 0.02])
        other = JointState(name=["robotiq_85_left_knuckle_joint"], position=[0.4])  # is none of the profile's
        gripper.header.stamp.sec = other.header.stamp.sec = 5  # since it was switched on
        hand = rclpy.create_node("hand", namespace=robot.node.get_namespace())
        publisher = hand.create_publisher(JointState, "joint_states", SENSOR)
        robot.until(publisher.get_subscription_count)
        for _ in range(20):
            publisher.publish(gripper)
            publisher.publish(other)
            robot.executor.spin_once(timeout_sec=0.02)
        counts = robot.counts()
        assert "state_names" not in counts and "state_stale" not in counts
        assert "joint states come from" not in robot.status[-1].message
        assert robot.stopped == [False]
        hand.destroy_node()
