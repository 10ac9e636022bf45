"""The frames of the robot, for RViz and Foxglove, where nobody else publishes them, and its description.

A driver's robot_state_publisher does, and two publishers of one frame make it jump between both. So it is listened first, and what
somebody else publishes is left to them, for good.
"""

import xml.etree.ElementTree as ElementTree
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pinocchio
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage

from wm_bringup.scene_markers import placed
from wm_core.offered import OfferedSubscription
from wm_core.qos import LATCHED
from wm_core.robot import RobotProfile
from wm_core.robot_description import describe
from wm_core.rotations import pose_of
from wm_core.stamps import to_msg, to_ns
from wm_core.steady import steady_clock

LISTEN_S = 3.0
PERIOD_S = 0.05  # between two publications
DESCRIPTION = "wm/robot_description"  # a controller manager would load one on robot_description, which has no hardware
MARK_NS = 1  # own stamps are so much after the joint states', which robot_state_publisher takes as they are
REMEMBERED = 200  # own stamps
TF, OWN_LISTENERS = "/tf", 1
HEARD = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
HEARD_STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SLIDING, TURNING = ("prismatic",), ("revolute", "continuous")


class LinkTree:
    """Where the links of a URDF are to each other. `links`: all that have a parent."""

    def __init__(self, description: str) -> None:
        self._joints = [_Joint(element) for element in ElementTree.fromstring(description).findall("joint")]
        self.links = frozenset(joint.child for joint in self._joints)
        self.moving = frozenset(joint.name for joint in self._joints if joint.moves and not joint.follows)

    def poses(self, positions: Mapping[str, float]) -> list[tuple[str, str, np.ndarray]]:
        """Parent, child and pose (4, 4) of the child in the parent's frame, at joint positions [rad or m] by name; 0 of those missing."""
        return [(joint.parent, joint.child, joint.pose(positions)) for joint in self._joints]


class _Joint:
    def __init__(self, element: ElementTree.Element) -> None:
        self.name, self._kind = element.get("name", ""), element.get("type", "")
        self.parent, self.child = (_get(element, tag, "link") for tag in ("parent", "child"))
        self._rotation = pinocchio.rpy.rpyToMatrix(*_numbers(element, "origin", "rpy", "0 0 0"))
        self._position = _numbers(element, "origin", "xyz", "0 0 0")
        axis = _numbers(element, "axis", "xyz", "1 0 0")
        self._axis = axis / (np.linalg.norm(axis) or 1.0)
        self.moves = self._kind in SLIDING + TURNING
        self.follows = _get(element, "mimic", "joint")
        self._factor, self._offset = (
            float(_get(element, "mimic", key) or default) for key, default in (("multiplier", 1.0), ("offset", 0.0))
        )

    def pose(self, positions: Mapping[str, float]) -> np.ndarray:
        at = positions.get(self.name, 0.0)
        if self.follows:
            at = self._factor * positions.get(self.follows, 0.0) + self._offset
        rotation, position = self._rotation, self._position
        if self._kind in TURNING:
            rotation = rotation @ pinocchio.exp3(self._axis * at)
        elif self._kind in SLIDING:
            position = position + rotation @ self._axis * at
        return pose_of(rotation, position)


class Frames:
    """Transforms of all links at the newest joint states; and which transforms are somebody else's."""

    def __init__(self, robot: RobotProfile) -> None:
        """Raises RobotError for a description that cannot be used."""
        self.description = describe(robot)
        self._tree = LinkTree(self.description)
        self._arm = frozenset(robot.joints)
        # The mounted tool is known to wm alone; `tool_transform` shows it whoever shows the arm.
        self._tool = robot.tool.link if robot.tool.mount is not None else ""
        self._positions: dict[str, float] = {}
        self._stamp_ns = self._sent_ns = 0
        self._own: deque[int] = deque(maxlen=REMEMBERED)

    def measured(self, names: Iterable[str], positions: Iterable[float], stamp_ns: int) -> None:
        """A joint state; of the arm's joints, or of others, each in its own message or together."""
        found = {name: at for name, at in zip(names, positions, strict=False) if name in self._tree.moving}
        self._positions |= {name: at for name, at in found.items() if np.isfinite(at)}
        if not self._arm.isdisjoint(found):
            self._stamp_ns = stamp_ns

    def transforms(self) -> list[TransformStamped]:
        """Of all links; none while a joint of the arm is not known, and none again until it was measured again."""
        if self._stamp_ns == self._sent_ns or not self._arm <= self._positions.keys():
            return []
        self._sent_ns = self._stamp_ns
        self._own.append(self._stamp_ns + MARK_NS)
        stamp = to_msg(self._stamp_ns + MARK_NS)
        return [
            placed(Header(stamp=stamp, frame_id=parent), child, pose)
            for parent, child, pose in self._tree.poses(self._positions)
            if child != self._tool
        ]

    def of_somebody_else(self, transforms: Iterable[TransformStamped]) -> str:
        """The first of the robot's links among transforms that were heard, of which these frames sent none; empty: none."""
        others = (each for each in transforms if to_ns(each.header.stamp) not in self._own)
        names = (each.child_frame_id.lstrip("/") for each in others)
        return next((name for name in names if name in self._tree.links and name != self._tool), "")


class RobotFrames:
    """Publishes on `/tf` what nobody else does, and on `wm/robot_description` the robot as wm knows it, with its mounted tool."""

    def __init__(
        self,
        node: Node,
        robot: RobotProfile,
        joint_topic: str,
        send: Callable[[TFMessage], None],
        listen_s: float = LISTEN_S,
    ) -> None:
        """`robot`: its description may come on a topic; `send`: publishes on `/tf`; `listen_s` [s]: until it is
        known what others publish."""
        self._node, self._robot, self._joint_topic, self._send = node, robot, joint_topic, send
        self._frames: Frames | None = None if robot.urdf_topic else Frames(robot)
        self._ended = False
        self._kept: dict[str, TransformStamped] = {}  # what was heard before it is known which links there are
        self._heard = [
            node.create_subscription(TFMessage, TF, self._on_tf, HEARD),
            node.create_subscription(TFMessage, "/tf_static", self._on_tf, HEARD_STATIC),
        ]
        if robot.urdf_topic:
            self._heard.append(node.create_subscription(String, robot.urdf_topic, self._on_description, LATCHED))
        self._joints: OfferedSubscription | None = None
        self._descriptions = node.create_publisher(String, DESCRIPTION, LATCHED)
        self._describe()
        self._begin = node.create_timer(listen_s, self._after_listening, clock=steady_clock())
        self._timer: Any = None

    def _on_description(self, message: String) -> None:
        try:
            self._frames = Frames(self._robot.published(message.data))
        except ValueError as error:
            self._node.get_logger().warning(f"{self._robot.urdf_topic}: {error}", throttle_duration_sec=30.0)
        else:
            self._describe()
            self._look(list(self._kept.values()))

    def _describe(self) -> None:
        if self._frames is not None:
            self._descriptions.publish(String(data=with_urls(self._frames.description)))

    def _after_listening(self) -> None:
        """What nobody has published so far is published from now on."""
        self._node.destroy_timer(self._begin)
        if not self._ended:
            self._timer = self._node.create_timer(PERIOD_S, self._publish, clock=steady_clock())

    def _on_joints(self, message: JointState) -> None:
        if self._frames is not None:
            self._frames.measured(message.name, message.position, to_ns(message.header.stamp))

    def _on_tf(self, message: TFMessage) -> None:
        if self._frames is None:
            self._kept |= {each.child_frame_id: each for each in message.transforms}
        else:
            self._look(message.transforms)

    def _look(self, transforms: Iterable[TransformStamped]) -> None:
        if self._frames is not None and not self._ended and (link := self._frames.of_somebody_else(transforms)):
            self._leave_it(link)

    def _publish(self) -> None:
        """While somebody looks: joint states come often."""
        looked_at = self._node.count_subscribers(TF) > OWN_LISTENERS
        if looked_at and self._joints is None:
            self._joints = OfferedSubscription(self._node, JointState, self._joint_topic, self._on_joints)
        elif not looked_at:
            self._forget_joints()
        elif self._frames is not None and (found := self._frames.transforms()):
            self._send(TFMessage(transforms=found))

    def _forget_joints(self) -> None:
        if self._joints is not None:
            self._joints.destroy()
            self._joints = None

    def _leave_it(self, link: str) -> None:
        """Somebody else publishes the frames: nothing more is listened to, and nothing sent."""
        self._ended = True
        self._node.get_logger().info(f"the frames of the robot are left to who publishes '{link}' on /tf")
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
        for each in self._heard:
            self._node.destroy_subscription(each)
        self._forget_joints()


def with_urls(description: str) -> str:
    """A URDF whose meshes are named as RViz reads them: files by URLs."""
    root = ElementTree.fromstring(description)
    for mesh in root.iter("mesh"):
        if (file := mesh.get("filename", "")).startswith("/"):
            mesh.set("filename", f"file://{file}")
    return ElementTree.tostring(root, encoding="unicode")


def _get(element: ElementTree.Element, tag: str, key: str) -> str:
    found = element.find(tag)
    return "" if found is None else found.get(key, "")


def _numbers(element: ElementTree.Element, tag: str, key: str, default: str) -> np.ndarray:
    return np.array((_get(element, tag, key) or default).split(), float)
