"""wm_scene_view: what wm believes and plans, as markers for RViz and Foxglove, and the frames of all there is on /tf."""

from collections import deque
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray
from wm_msgs.msg import Belief, Command, Goal, GoalEvent, Plan

from wm_bringup import scene_markers as draw
from wm_bringup.robot_frames import RobotFrames
from wm_core.given_parameters import check_types, refuse_unknown
from wm_core.heartbeat import beat
from wm_core.node_process import run
from wm_core.paths import rig_path
from wm_core.qos import LATCHED, NEWEST, STATE
from wm_core.rig import CameraRig
from wm_core.robot_source import ROBOT, ROBOT_RETIRED, profile_of
from wm_core.stamps import to_ns

PARAMETERS = {"rig": "", "joint_topic": "", **{each.name: each.default for each in ROBOT}}
COSTS = 50  # plans that say what is cheap and what is dear
GOAL = "wm_goal"  # frame


class SceneView(Node):
    """Publishes `wm/scene_markers`, `wm/robot_description`, `/tf_static` (table, mounted tool, cameras of the rig) and `/tf` (objects,
    goal; the robot's links where nobody else publishes them).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("wm_scene_view", **kwargs)
        check_types(self, PARAMETERS)
        value = {name: self.declare_parameter(name, default).value for name, default in PARAMETERS.items()}
        refuse_unknown(self, ROBOT_RETIRED)
        self._costs: deque[float] = deque(maxlen=COSTS)
        self._latencies: dict[str, float] = {}
        self._goal: Goal | None = None
        self._markers = self.create_publisher(MarkerArray, "wm/scene_markers", STATE)
        self._tf = self.create_publisher(TFMessage, "/tf", QoSProfile(depth=100))
        self._tf_static = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        robot = profile_of(value.__getitem__)
        header = Header(stamp=self.get_clock().now().to_msg())
        still = draw.robot_transforms(header, robot)
        if value["rig"]:
            rig = CameraRig.load(rig_path(value["rig"])).in_table_frame(robot)
            still += draw.camera_transforms(header, rig)
        self._tf_static.publish(TFMessage(transforms=still))  # in one: who comes late is sent the last alone
        self._robot_frames = RobotFrames(self, robot, value["joint_topic"] or robot.joint_topic, self._tf.publish)
        self.create_subscription(Belief, "wm/belief", self._on_belief, NEWEST)
        self.create_subscription(Plan, "wm/plan", self._on_plan, NEWEST)
        self.create_subscription(Command, "wm/command", self._on_command, NEWEST)
        self.create_subscription(GoalEvent, "wm/goal", self._on_goal, STATE)
        beat(self)

    def _on_belief(self, belief: Belief) -> None:
        self._latencies |= {"encode": belief.encode_ms, "filter": belief.filter_ms}
        self._markers.publish(draw.belief_markers(belief))
        if self._latencies:
            self._markers.publish(draw.latency_markers(belief.header, self._latencies))
        if self._goal is not None:  # again: a belief deletes all
            self._markers.publish(draw.goal_markers(belief.header, self._goal))
        frames = draw.belief_transforms(belief)
        if self._goal is not None:
            frames.append(draw.goal_transform(belief.header, GOAL, self._goal))
        self._tf.publish(TFMessage(transforms=frames))

    def _on_plan(self, plan: Plan) -> None:
        self._costs.append(plan.cost)
        self._latencies["plan"] = plan.plan_ms
        self._markers.publish(draw.plan_markers(plan, (min(self._costs), max(self._costs))))

    def _on_command(self, command: Command) -> None:
        ms = (self.get_clock().now().nanoseconds - to_ns(command.header.stamp)) / 1e6
        self._latencies["camera to command"] = ms

    def _on_goal(self, event: GoalEvent) -> None:
        begins = event.event == GoalEvent.BEGIN and event.goal.kind == Goal.OBJECT_POSE
        if begins or self._goal == event.goal:
            self._goal = event.goal if begins else None


def main() -> int:
    return run(SceneView)


if __name__ == "__main__":
    raise SystemExit(main())
