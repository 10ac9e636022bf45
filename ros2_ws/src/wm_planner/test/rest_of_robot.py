"""The planner node in the test's process, and the rest of the robot around it, through real DDS."""

import numpy as np
import pytest
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
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
from wm_core.stamps import to_msg
from wm_planner.node import PlannerNode

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height
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
