"""The planner node and goals: one command for every belief, goals by action and by service, holds by the guard."""

import numpy as np
import pytest
import rest_of_robot
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.msg import Belief, Command, Goal, GoalEvent
from wm_msgs.srv import SetGoal

from wm_core.qos import STATE
from wm_core.stamps import to_msg, to_ns

TOOL_DOWN, TOOL_HEIGHT, BUNDLE = rest_of_robot.TOOL_DOWN, rest_of_robot.TOOL_HEIGHT, rest_of_robot.BUNDLE
ARM, Q, goal_at, node = rest_of_robot.ARM, rest_of_robot.Q, rest_of_robot.goal_at, rest_of_robot.node
rest_of, rest = rest_of_robot.rest_of, rest_of_robot.rest

pytestmark = pytest.mark.ros


def hold_at(q, begin_ns, header):
    """How the guard tells of a hold."""
    points = [JointTrajectoryPoint(positions=q.tolist(), time_from_start=Duration(nanosec=10**8))]
    trajectory = JointTrajectory(joint_names=list(ARM.joint_names), points=points)
    return Command(header=header, effective=to_msg(begin_ns), trajectory=trajectory, status=Command.HOLD)


def test_without_a_goal_every_belief_is_answered_with_a_hold(rest):
    for _ in range(3):
        command = rest.believe()
        assert command.status == Command.IDLE
        assert to_ns(command.header.stamp) == to_ns(command.effective) == rest.step * 10**8
        np.testing.assert_allclose(command.trajectory.points[-1].positions, Q, atol=1e-6)
    assert len(rest.commands) == 3 and rest.plans == []


def test_joint_states_that_do_not_come_are_missed_on_their_topic(rest):
    rest.me.destroy_publisher(rest.joints)
    other = rest.me.create_publisher(JointState, "joint_state", STATE)
    rest.until(lambda: not rest.node.count_publishers("joint_states") and rest.node.count_publishers("joint_state"))
    rest.beliefs.publish(Belief(model_id=BUNDLE.id))
    rest.until(lambda: rest.node.counts["no_joint_state"])
    assert rest.node.last_problem == (
        "expected a joint state before the first command, none yet: nothing on /wm_planner_test/joint_states (0 publishers, but"
        " /wm_planner_test/joint_state is published): start its driver, or set joint_topic"
    )
    rest.me.destroy_publisher(other)


def test_a_goal_moves_the_tool_and_is_reached(rest):
    handle = rest.pursue(goal_at(0.6, 0.0))
    assert handle.accepted
    command = rest.believe()
    assert command.status == Command.ACTIVE
    assert np.linalg.norm(command.action) > 0.1
    start, end = command.tool_start.position, command.tool_end.position
    assert (end.x - start.x, end.y - start.y) == pytest.approx(0.03 * np.array(command.action), abs=1e-6)
    rest.until(lambda: rest.plans and rest.feedback)
    assert rest.plans[0].horizon == len(rest.plans[0].objects[0].poses) == 12
    assert rest.feedback[0].distance == pytest.approx(0.1)
    for _ in range(3):
        command = rest.believe((0.6, 0.0))
        assert list(command.action) == [0, 0]  # at the goal: be still
    result = rest.wait(handle.get_result_async())
    assert result.status == GoalStatus.STATUS_SUCCEEDED and result.result.message == "reached"
    rest.until(lambda: len(rest.events) == 2)
    begin, end = rest.events
    assert (begin.event, end.event) == (GoalEvent.BEGIN, GoalEvent.END)
    assert to_ns(begin.header.stamp) == 0 and to_ns(end.header.stamp) == rest.step * 10**8  # of the belief before
    assert begin.goal.object_pose.pose.position.x == 0.6 and begin.timeout == 5.0 and begin.model_id == BUNDLE.id
    assert end.success and end.message == "reached"


def test_cancel_preempt_and_timeout(rest):
    first = rest.pursue(goal_at(0.6, 0.0))
    rest.believe()
    second = rest.pursue(goal_at(0.55, 0.1))
    assert rest.wait(first.get_result_async()).result.message == "preempted"
    cancelled = second.cancel_goal_async()
    rest.wait(cancelled)
    assert rest.believe().status == Command.IDLE
    assert rest.wait(second.get_result_async()).status == GoalStatus.STATUS_CANCELED


def test_goals_through_plain_services(rest):
    assert rest.wait(rest.set_goal.call_async(SetGoal.Request(goal=goal_at(0.6, 0.0, frame="")))).success
    assert rest.believe().status == Command.ACTIVE
    assert rest.wait(rest.cancel.call_async(Trigger.Request())).success
    assert rest.believe().status == Command.IDLE


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (goal_at(0.6, 0.0, frame="map"), "frame"),
        (goal_at(2.0, 0.0), "within x"),
        (goal_at(0.6, 0.0, kind=Goal.IMAGE), "image"),
    ],
)
def test_goals_that_cannot_be_pursued_are_refused(rest, goal, expected):
    answer = rest.wait(rest.set_goal.call_async(SetGoal.Request(goal=goal)))
    assert not answer.success and expected in answer.message
    assert not rest.pursue(goal).accepted
    assert rest.believe().status == Command.IDLE


def test_broken_beliefs_hold_the_arm(rest):
    rest.pursue(goal_at(0.6, 0.0))
    for belief in ({"mean": np.full(BUNDLE.latent_size, np.nan)}, {"mean": np.zeros(3)}, {"model_id": "another"}):
        command = rest.believe(**belief)
        assert command.status == Command.HOLD and command.reason
        assert list(command.action) == [0, 0]
    assert rest.believe().status == Command.ACTIVE


def test_the_emergency_stop_ends_the_goal(rest):
    handle = rest.pursue(goal_at(0.6, 0.0))
    rest.e_stopped.publish(Bool(data=True))
    rest.until(lambda: rest.node._stopped)
    assert rest.wait(handle.get_result_async()).result.message == "emergency stop"
    assert rest.believe().status == Command.IDLE
    assert not rest.pursue(goal_at(0.6, 0.0)).accepted


def test_after_a_hold_by_the_guard_planning_starts_from_the_measured_arm(rest):
    rest.pursue(goal_at(0.6, 0.0))
    rest.believe()
    executed = rest.me.create_publisher(Command, "wm/executed", STATE)
    rest.until(lambda: executed.get_subscription_count())
    rest.q = ARM.ik(np.array([0.5, 0.1, TOOL_HEIGHT]), TOOL_DOWN, Q)
    executed.publish(hold_at(rest.q, 10**8, rest.commands[-1].header))
    command = rest.believe()
    assert (command.tool_start.position.x, command.tool_start.position.y) == pytest.approx((0.5, 0.1), abs=1e-3)


def test_a_hold_of_the_same_instant_counts_from_the_next_belief_on_in_whatever_order_they_came(rest):
    rest.pursue(goal_at(0.6, 0.0))
    rest.believe()
    executed = rest.me.create_publisher(Command, "wm/executed", STATE)
    rest.until(lambda: executed.get_subscription_count())
    passed = Command(header=rest.commands[-1].header, status=Command.ACTIVE)
    rest.q = ARM.ik(np.array([0.5, 0.1, TOOL_HEIGHT]), TOOL_DOWN, Q)
    # By the guard itself, while the second belief is answered.
    hold = hold_at(rest.q, 2 * 10**8, Header(stamp=to_msg(2 * 10**8)))
    executed.publish(hold)
    executed.publish(passed)
    second = rest.believe()
    assert (second.tool_start.position.x, second.tool_start.position.y) == pytest.approx(
        (rest.commands[0].tool_end.position.x, rest.commands[0].tool_end.position.y)
    )
    executed.publish(Command(header=second.header, status=Command.ACTIVE))
    third = rest.believe()
    assert (third.tool_start.position.x, third.tool_start.position.y) == pytest.approx((0.5, 0.1), abs=1e-3)
