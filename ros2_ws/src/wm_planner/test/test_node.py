"""The planner node through real DDS: one command for every belief; goals by action and by service."""

import numpy as np
import pytest
import rclpy
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from wm_msgs.action import PursueGoal
from wm_msgs.msg import Belief, Command, Goal, GoalEvent, ObjectState, Plan
from wm_msgs.srv import PrepareBundle, SetGoal

from wm_core.bundle import Bundle
from wm_core.conversions import tool_message
from wm_core.kinematics import Kinematics
from wm_core.paths import bundles_dir
from wm_core.qos import LATCHED, STATE
from wm_core.robot import load_robot
from wm_core.scene import ToolState
from wm_core.stamps import to_msg, to_ns
from wm_core.task import task_path
from wm_planner.node import PlannerNode

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height

pytestmark = pytest.mark.ros
NAMESPACE = "/wm_planner_test"
TOOL = np.array([0.42, 0.0])
BUNDLE = Bundle.load(bundles_dir() / "default")
ARM = Kinematics(load_robot())
Q = ARM.ik(np.array([*TOOL, TOOL_HEIGHT]), TOOL_DOWN, np.array([0.0, 0.3, 0.0, -2.6, 0.0, 2.9, 0.785]))


def goal_at(x, y, frame="table", kind=Goal.OBJECT_POSE):
    goal = Goal(kind=kind)
    goal.object_pose.header.frame_id = frame
    goal.object_pose.pose.position.x, goal.object_pose.pose.position.y = x, y
    return goal


def hold_at(q, begin_ns, header):
    """How the guard tells of a hold."""
    points = [JointTrajectoryPoint(positions=q.tolist(), time_from_start=Duration(nanosec=10**8))]
    trajectory = JointTrajectory(joint_names=list(ARM.joint_names), points=points)
    return Command(header=header, effective=to_msg(begin_ns), trajectory=trajectory, status=Command.HOLD)


class Rest:
    """The rest of the robot."""

    def __init__(self, node):
        self.node = node
        self.me = rclpy.create_node("rest", namespace=NAMESPACE)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)
        self.executor.add_node(self.me)
        self.commands, self.plans, self.feedback, self.events = [], [], [], []
        self.me.create_subscription(Command, "wm/command", self.commands.append, STATE)
        self.me.create_subscription(Plan, "wm/plan", self.plans.append, STATE)
        self.me.create_subscription(GoalEvent, "wm/goal", self.events.append, STATE)
        self.beliefs = self.me.create_publisher(Belief, "wm/belief", STATE)
        self.joints = self.me.create_publisher(JointState, "joint_states", STATE)
        self.e_stopped = self.me.create_publisher(Bool, "wm/e_stopped", LATCHED)
        self.action = ActionClient(self.me, PursueGoal, "wm/pursue_goal")
        self.prepare = self.me.create_client(PrepareBundle, "wm_planner/prepare_bundle")
        self.set_goal = self.me.create_client(SetGoal, "wm/set_goal")
        self.cancel = self.me.create_client(Trigger, "wm/cancel_goal")
        self.step = 0
        self.q = Q  # where the arm is measured
        self.until(
            lambda: (
                self.beliefs.get_subscription_count()
                and self.action.server_is_ready()
                and self.set_goal.service_is_ready()
                and self.prepare.service_is_ready()
            )
        )
        self.until(lambda: self.commands_are_heard() and self.joints.get_subscription_count())

    def commands_are_heard(self):
        topics = ("wm/command", "wm/goal")
        return all(self.me.count_publishers(t) and self.node.count_subscribers(t) for t in topics)

    def believe(self, xy=(0.5, 0.0), mean=None, model_id=BUNDLE.id):
        """One belief; returns the command that answers it."""
        self.step += 1
        if mean is None:
            mean = BUNDLE.initial_mean.copy()
            mean[0:4] = [*xy, *TOOL]
        message = Belief(model_id=model_id, mean=np.asarray(mean, float).tolist(), variance=[1e-5] * BUNDLE.latent_size)
        message.header.stamp, message.header.frame_id = to_msg(self.step * 10**8), "table"
        block = ObjectState(id="object_0", visibility=1.0)
        block.pose.position.x, block.pose.position.y = float(xy[0]), float(xy[1])
        message.objects, message.tool = [block], tool_message(ToolState.at(*TOOL, 0.027))
        joints = JointState(name=list(ARM.joint_names), position=self.q.tolist())
        joints.header.stamp = message.header.stamp
        count = len(self.commands)
        self.beliefs.publish(message)
        self.joints.publish(joints)  # in lockstep they may come later
        self.until(lambda: len(self.commands) > count)
        return self.commands[-1]

    def until(self, condition, seconds=10.0):
        end = self.me.get_clock().now().nanoseconds + seconds * 1e9
        while not condition() and self.me.get_clock().now().nanoseconds < end:
            self.executor.spin_once(timeout_sec=0.02)
        assert condition()

    def wait(self, future):
        self.until(future.done)
        return future.result()

    def prepared(self, folder):
        return self.wait(self.prepare.call_async(PrepareBundle.Request(folder=str(folder))))

    def pursue(self, goal):
        return self.wait(
            self.action.send_goal_async(
                PursueGoal.Goal(goal=goal, timeout=5.0), feedback_callback=lambda m: self.feedback.append(m.feedback)
            )
        )


@pytest.fixture
def node():
    rclpy.init()
    node = PlannerNode(namespace=NAMESPACE)
    node.set_parameters([Parameter("lockstep", value=True), Parameter("icem.samples", value=64)])
    yield node
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def rest_of(node):
    """Starts the node with some more parameters; what it needs around it."""
    started = []

    def start(**parameters):
        node.set_parameters([Parameter(name, value=value) for name, value in parameters.items()])
        node.trigger_configure()
        node.trigger_activate()
        started.append(Rest(node))
        return started[0]

    yield start
    node.trigger_deactivate()
    node.trigger_cleanup()
    for rest in started:
        rest.action.destroy()
        rest.me.destroy_node()


@pytest.fixture
def rest(rest_of):
    return rest_of()


def test_without_a_goal_every_belief_is_answered_with_a_hold(rest):
    for _ in range(3):
        command = rest.believe()
        assert command.status == Command.IDLE
        assert to_ns(command.header.stamp) == to_ns(command.effective) == rest.step * 10**8
        np.testing.assert_allclose(command.trajectory.points[-1].positions, Q, atol=1e-6)
    assert len(rest.commands) == 3 and rest.plans == []


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
    assert rest.wait(rest.set_goal.call_async(SetGoal.Request(goal=goal_at(0.6, 0.0)))).success
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


@pytest.mark.parametrize(("trust", "planner", "fallbacks"), [(10.0, "policy", 0), (0.0, "icem", 1)])
def test_a_plan_says_whether_the_policy_made_it(rest_of, straight, trust, planner, fallbacks):
    rest = rest_of(bundle=str(straight), planner="policy", policy_trust=trust)
    rest.pursue(goal_at(0.6, 0.0))
    assert rest.believe().status == Command.ACTIVE
    rest.until(lambda: rest.plans)
    assert rest.plans[0].planner == planner and rest.plans[0].horizon == len(rest.plans[0].objects[0].poses) == 12
    assert rest.node.counts["fallbacks"] == fallbacks


def test_a_plan_in_jumps_says_where_the_object_goes_at_every_step(rest_of, jumping):
    rest = rest_of(bundle=str(jumping.path), macro=True, horizon=23)  # the last jump is a whole one
    rest.pursue(goal_at(0.6, 0.0))
    assert rest.believe().status == Command.ACTIVE
    rest.until(lambda: rest.plans)
    plan = rest.plans[0]
    assert plan.horizon == len(plan.objects[0].poses) == len(plan.tool) == 24
    assert np.abs(np.diff([tool.position.x for tool in plan.tool])).max() < 1.5 * jumping.action.scale["x"]


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("macro", True, "expected a bundle with a macro predictor"),
        ("planner", "policy", "expected a bundle with a policy"),
        ("policy_seeds", "always", "expected a bundle with a policy"),
        ("cost.value", 1.0, "graph value"),
    ],
)
def test_what_the_bundle_does_not_bring_is_refused(node, bare, capfd, parameter, value, expected):
    node.set_parameters([Parameter("bundle", value=str(bare)), Parameter(parameter, value=value)])
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert expected in capfd.readouterr().err


def test_a_planner_or_a_seeding_that_does_not_exist_is_refused(node):
    for name, value in (("planner", "magic"), ("policy_seeds", "sometimes"), ("policy_trust", -1.0)):
        (answer,) = node.set_parameters([Parameter(name, value=value)])
        assert not answer.successful and name in answer.reason


def test_a_prepared_bundle_takes_over_with_its_first_belief_and_the_goal_goes_on(rest, another):
    handle = rest.pursue(goal_at(0.6, 0.0))
    moved = [rest.believe() for _ in range(3)]
    assert rest.prepared(another).success
    assert rest.believe().status == Command.ACTIVE
    assert rest.plans[-1].model_id == BUNDLE.id
    last = rest.believe(model_id="another")
    assert last.status == Command.ACTIVE and np.linalg.norm(last.action) > 0.1
    rest.until(lambda: rest.plans[-1].model_id == "another")
    assert (last.tool_start.position.x, last.tool_start.position.y) == pytest.approx(
        (rest.commands[-2].tool_end.position.x, rest.commands[-2].tool_end.position.y), abs=1e-6
    )  # from where it was sent
    assert len(moved) + 2 == len(rest.commands) and handle.status in (
        GoalStatus.STATUS_ACCEPTED,
        GoalStatus.STATUS_EXECUTING,
    )
    for _ in range(3):
        rest.believe((0.6, 0.0), model_id="another")
    assert rest.wait(handle.get_result_async()).result.success


@pytest.mark.parametrize(
    ("parameters", "says"),
    [({"planner": "policy"}, "policy"), ({"macro": True}, "macro predictor")],
)
def test_a_bundle_that_the_planner_cannot_work_with_is_refused(rest_of, another, straight, jumping, parameters, says):
    bundle = straight if "planner" in parameters else jumping.path
    rest = rest_of(bundle=str(bundle), **parameters)
    answer = rest.prepared(another)
    assert not answer.success and says in answer.message
    assert rest.believe().status == Command.IDLE


def task_file(tmp_path, *changes):
    """Path of a copy of push.yaml with some replacements in its text."""
    text = task_path("push").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return str(file)


def test_the_weights_of_a_task_are_parameters_that_can_be_overridden(node, tmp_path):
    file = task_file(
        tmp_path, ("goal: {weight: 10.0}", "goal: {weight: 7.0}"), ("fine: {weight: 1.0", "fine: {weight: 3.0")
    )
    assert node.value("cost.goal") == 10.0
    node.set_parameters([Parameter("task", value=file)])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert (node.value("cost.goal"), node.value("cost.fine")) == (7.0, 3.0)
    node.trigger_cleanup()
    node.set_parameters([Parameter("cost.goal", value=8.0)])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert (node.value("cost.goal"), node.value("cost.fine")) == (8.0, 3.0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("rate: 10 ", "rate: 20 "), "rate: the task says 20 Hz, the bundle 10 Hz"),
        (("  effort: {weight: 0.02}", "  efort: {weight: 0.02}"), "costs.efort: expected a cost term out of"),
        (("time_limit: 10.0", "time_limit: soon"), "time_limit: 'soon' is not of type 'number'"),
    ],
)
def test_a_task_that_cannot_be_done_is_refused_by_name(node, tmp_path, capfd, change, expected):
    node.set_parameters([Parameter("task", value=task_file(tmp_path, change))])
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert expected in capfd.readouterr().err
