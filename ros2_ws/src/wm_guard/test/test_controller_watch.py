"""A controller that is deactivated or restarted is noticed by its silence; afterwards the arm goes on from where it rests."""

import numpy as np
import pytest
import rclpy
from control_msgs.msg import JointTrajectoryControllerState
from trajectory_msgs.msg import JointTrajectory

from wm_core.qos import STATE
from wm_guard.controller_watch import ControllerWatch
from wm_guard.permission import Permission
from wm_guard.states import State
from wm_guard.verdicts import Kind

MS = 1_000_000
T0 = 1000 * MS


@pytest.fixture
def watched(guard, wall):
    """A guard whose arm rests under a controller that was heard."""
    guard.permission = Permission(clock=wall)
    guard.permission.controller.heard()
    rest(guard, wall, guard.arm.states.position, T0, 150)
    return guard


def rest(guard, wall, joints, begin_ns, milliseconds) -> int:
    """The arm stays at `joints` while its controller speaks; returns when that ends."""
    for since in range(10, milliseconds + 1, 10):
        wall.now += 0.01
        guard.permission.controller.heard()
        guard.observe(guard.joint_names, joints, begin_ns + since * MS, begin_ns + since * MS)
    return begin_ns + milliseconds * MS


def test_of_a_controller_that_never_spoke_nothing_is_known(wall):
    watch = ControllerWatch(wall)
    assert watch.problem() == "" and not watch.measured(np.zeros(7), T0)
    wall.now += 100.0
    assert watch.problem() == ""


def test_silence_means_inactive_and_speech_that_the_arm_must_rest_first(wall):
    watch = ControllerWatch(wall)
    watch.heard()
    assert "rests" in watch.problem()
    moving = [watch.measured(np.full(7, 0.01 * i), T0 + 20 * i * MS) for i in range(10)]
    assert not any(moving)
    resting = [watch.measured(np.full(7, 0.1), T0 + (200 + 20 * i) * MS) for i in range(10)]
    assert resting == [False] * 5 + [True] + [False] * 4 and watch.problem() == ""
    wall.now += 0.11
    assert "ros2 control list_controllers" in watch.problem() and not watch.measured(np.full(7, 0.1), T0 + 500 * MS)


def test_a_controller_that_nobody_hears_any_more_is_gone_and_comes_back_to_an_arm_at_rest(wall):
    watch = ControllerWatch(wall)
    watch.listens(False)
    assert watch.problem() == ""  # nobody was there yet, as where a recording is judged anew
    watch.listens(True)
    assert watch.problem() == ""
    watch.listens(False)
    assert "nobody takes the arm's trajectories any more" in watch.problem()
    assert not watch.measured(np.zeros(7), T0)
    watch.listens(True)
    assert "rests" in watch.problem()
    assert [watch.measured(np.zeros(7), T0 + 50 * i * MS) for i in range(3)] == [False, False, True]
    assert watch.problem() == ""


def test_an_inactive_controller_holds_the_arm_and_gets_nothing_more(watched, wall, step):
    now = T0 + 150 * MS
    assert watched.check(step(dx=0.03), now, now).kind is Kind.PASS
    wall.now += 0.11
    hold = watched.watchdog(now + 110 * MS)
    assert (hold.kind, hold.reason) == (Kind.HOLD, "controller_inactive")
    assert watched.check(step(dx=0.03), now + 120 * MS, now + 120 * MS).sent is None
    assert watched.status.state is State.HOLDING and "is it active?" in watched.status.text


def test_an_arm_whose_controller_was_restarted_goes_on_from_where_it_rests(watched, wall, step, kinematics, start):
    """Its controller stopped it 0.03 rad before where it was commanded: less than an arm may be behind, and it would leap there."""
    now = T0 + 150 * MS
    watched.check(step(dx=0.03), now, now)
    wall.now += 0.6
    watched.watchdog(now + 110 * MS)
    stopped = start + 0.03 * np.eye(7)[3]
    now = rest(watched, wall, stopped, now + 600 * MS, 200)
    verdict = watched.check(step(dx=0.03), now, now + 10 * MS)
    assert verdict.kind is not Kind.REFUSED, verdict.text
    assert np.abs(verdict.sent.positions[0] - stopped).max() < 0.01
    steps = np.diff(np.vstack([stopped, verdict.sent.positions]), axis=0)
    assert np.abs(steps).max() < 0.03


def test_until_the_arm_rests_nothing_is_sent(watched, wall, step, start):
    wall.now += 0.3
    watched.permission.controller.heard()
    now = T0 + 460 * MS
    watched.observe(watched.joint_names, start, now, now)
    verdict = watched.check(step(dx=0.03), now, now)
    assert verdict.sent is None and "waits until the arm rests" in verdict.text


@pytest.mark.ros
def test_the_node_hears_the_controller_beside_the_topic_of_trajectories(node):
    guard, other = node(trajectory_topic="/left/my_controller/joint_trajectory")
    says = other.create_publisher(JointTrajectoryControllerState, "/left/my_controller/controller_state", STATE)

    def missing() -> str:
        return guard.guard.permission.missing().get("controller_inactive", "")

    def heard() -> bool:
        says.publish(JointTrajectoryControllerState())
        return bool(missing())

    node.spin(heard)
    assert "waits until the arm rests" in missing()
    node.spin(lambda: "has said nothing" in missing())


@pytest.mark.ros
def test_the_node_knows_whether_somebody_takes_its_trajectories(node):
    guard, other = node(trajectory_topic="my_controller/joint_trajectory")
    topic, problem = "my_controller/joint_trajectory", guard.guard.permission.controller.problem
    recorder = rclpy.create_node("wm_recorder")
    recorder.create_subscription(JointTrajectory, topic, lambda _: None, STATE)
    controller = other.create_subscription(JointTrajectory, topic, lambda _: None, STATE)
    node.spin(lambda: guard.count_subscribers(topic) == 2)
    node.spin_for(1.0)
    assert problem() == ""
    other.destroy_subscription(controller)
    node.spin(lambda: "nobody takes" in problem())  # a recorder moves no arm
    other.create_subscription(JointTrajectory, topic, lambda _: None, STATE)
    node.spin(lambda: "waits until the arm rests" in problem())
    recorder.destroy_node()
