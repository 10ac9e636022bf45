"""The frames of a robot: where they are, and that they are left to whoever else publishes them."""

import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage

from wm_bringup import scene_markers
from wm_bringup.robot_frames import Frames, LinkTree, RobotFrames, with_urls
from wm_core.kinematics import Kinematics
from wm_core.paths import rig_path
from wm_core.qos import LATCHED, SENSOR
from wm_core.rig import CameraRig
from wm_core.robot import load_robot, robot_names
from wm_core.stamps import to_msg, to_ns

S = 1_000_000_000


def transform(child, stamp_ns=0):
    return TransformStamped(header=Header(stamp=to_msg(stamp_ns), frame_id="base"), child_frame_id=child)


@pytest.mark.parametrize("name", robot_names())
def test_the_links_are_where_kinematics_has_them(name):
    robot = load_robot(name)
    kinematics = Kinematics(robot)
    q = kinematics.lower + 0.37 * (kinematics.upper - kinematics.lower)
    tree = LinkTree(kinematics.description)
    poses = {child: (parent, pose) for parent, child, pose in tree.poses(dict(zip(robot.joints, q, strict=True)))}

    def from_root(link):
        parent, pose = poses.get(link, ("", np.eye(4)))
        return from_root(parent) @ pose if parent else np.eye(4)

    for link in tree.links:
        expected = kinematics.link_pose(link, q)
        np.testing.assert_allclose(kinematics.T_table_root @ from_root(link), expected, atol=1e-9)


def test_a_finger_that_follows_another_needs_no_joint_state_of_its_own():
    tree = LinkTree(
        """<robot name="r"><link name="a"/><link name="b"/><link name="c"/>
        <joint name="one" type="prismatic"><parent link="a"/><child link="b"/><axis xyz="0 1 0"/></joint>
        <joint name="two" type="prismatic"><parent link="a"/><child link="c"/><axis xyz="0 1 0"/>
        <mimic joint="one" multiplier="-1" offset="0.01"/></joint></robot>"""
    )
    (_, _, one), (_, _, two) = tree.poses({"one": 0.03})
    assert one[1, 3] == pytest.approx(0.03) and two[1, 3] == pytest.approx(-0.02)


def test_frames_wait_for_all_joints_of_the_arm_and_come_once_for_each_joint_state():
    robot = load_robot()
    frames = Frames(robot)
    first, *rest = robot.joints
    frames.measured([first], [0.1], 1 * S)
    assert frames.transforms() == []
    frames.measured(rest, [-0.5] * len(rest), 2 * S)
    found = {each.child_frame_id: each for each in frames.transforms()}
    assert set(found) == LinkTree(frames.description).links
    assert frames.transforms() == []
    frames.measured(robot.gripper.joints, [0.04] * len(robot.gripper.joints), 3 * S)  # a driver of its own
    assert frames.transforms() == []
    frames.measured(robot.joints, [0.0] * len(robot.joints), 4 * S)
    assert len(frames.transforms()) == len(found)


def test_own_frames_are_known_by_their_stamps_also_beside_those_of_the_same_joint_state():
    robot = load_robot("ur5e")
    frames = Frames(robot)
    frames.measured(robot.joints, [0.0] * len(robot.joints), 5 * S)
    own = frames.transforms()
    assert frames.of_somebody_else(own) == ""
    assert frames.of_somebody_else([transform("camera_link"), transform(robot.tool.link), transform("table")]) == ""
    link = own[0].child_frame_id
    assert frames.of_somebody_else([*own, transform(link, 5 * S)]) == link  # as robot_state_publisher stamps them
    assert frames.of_somebody_else([transform(link)]) == link


@pytest.mark.parametrize("name", robot_names())
def test_table_tool_and_links_are_one_tree_in_which_each_frame_has_one_parent(name):
    robot, rig = load_robot(name, "left_"), CameraRig.load(rig_path("two_cameras"))
    frames, header = Frames(robot), Header()
    frames.measured(robot.joints, robot.home.joints, 5 * S)
    links, still = frames.transforms(), scene_markers.robot_transforms(header, robot)
    shown = [*links, *still, *scene_markers.camera_transforms(header, rig.in_table_frame(robot))]
    parents = {each.child_frame_id: each.header.frame_id for each in shown}
    assert len(parents) == len(shown) and len(set(parents.values()) - parents.keys()) == 1
    assert {robot.tool.link, robot.table_frame} <= parents.keys()


def test_meshes_are_named_by_urls():
    meshes = [
        mesh.get("filename")
        for mesh in ElementTree.fromstring(with_urls(Frames(load_robot()).description)).iter("mesh")
    ]
    assert meshes and all(mesh.startswith("file:///") for mesh in meshes)


class Cell:
    """A node with the frames of a robot, and one that is a driver and RViz."""

    def __init__(self, context):
        self.context, self.robot = context, load_robot("ur5e", "cell_")
        self.own = rclpy.create_node("view", namespace="cell", context=context)
        self.other = rclpy.create_node("driver", namespace="cell", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        for node in (self.own, self.other):
            self.executor.add_node(node)
        self.frames: list[TransformStamped] = []
        self.descriptions: list[String] = []
        self.other.create_subscription(TFMessage, "/tf", lambda message: self.frames.extend(message.transforms), 100)
        self.tf = self.other.create_publisher(TFMessage, "/tf", 100)
        self.joints = self.other.create_publisher(JointState, "joint_states", SENSOR)

    def begin(self, listen_s=0.5, robot=None):
        send = self.own.create_publisher(TFMessage, "/tf", 100).publish
        self.part = RobotFrames(self.own, robot or self.robot, "joint_states", send, listen_s)

    def look(self):
        """As RViz does when it is opened."""
        self.other.create_subscription(String, "wm/robot_description", self.descriptions.append, LATCHED)

    def spin_until(self, condition, seconds=10.0, driver=False):
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            stamp = self.other.get_clock().now().to_msg()
            message = JointState(
                header=Header(stamp=stamp), name=self.robot.joints, position=[0.1] * len(self.robot.joints)
            )
            self.joints.publish(message)
            if driver:
                self.tf.publish(TFMessage(transforms=[transform(self.robot.tool.mount.link, to_ns(stamp))]))
            self.executor.spin_once(timeout_sec=0.02)
        return condition()

    def of_wm(self):
        return [each for each in self.frames if each.child_frame_id == "cell_forearm_link"]


@pytest.fixture
def cell():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    cell = Cell(context)
    yield cell
    cell.executor.shutdown()
    for node in (cell.own, cell.other):
        node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.ros
def test_a_robot_that_nobody_shows_is_shown_until_somebody_does(cell):
    cell.begin()
    cell.look()
    assert cell.spin_until(lambda: cell.of_wm() and cell.descriptions)
    assert "cell_forearm_link" in cell.descriptions[0].data
    assert cell.spin_until(lambda: cell.part._ended, driver=True)
    cell.spin_until(lambda: False, 0.3)
    shown = len(cell.of_wm())
    cell.spin_until(lambda: False, 0.5)
    assert len(cell.of_wm()) == shown


@pytest.mark.ros
def test_a_robot_that_its_driver_shows_is_left_to_it(cell):
    cell.spin_until(lambda: False, 0.3, driver=True)
    cell.begin()
    cell.look()
    cell.spin_until(lambda: False, 1.5, driver=True)
    assert cell.of_wm() == [] and len(cell.descriptions) == 1
    # A controller manager would load one on this topic, and then no other: it has no hardware.
    assert cell.other.count_publishers("robot_description") == 0


@pytest.mark.ros
def test_a_description_that_comes_on_a_topic_after_the_frames_shows_whose_they_are(cell):
    static = cell.other.create_publisher(TFMessage, "/tf_static", LATCHED)
    static.publish(TFMessage(transforms=[transform(cell.robot.tool.mount.link)]))
    cell.begin(robot=replace(cell.robot, urdf="", urdf_topic="robot_description"))
    cell.spin_until(lambda: cell.part._kept)
    described = cell.other.create_publisher(String, "robot_description", LATCHED)
    described.publish(String(data=Path(cell.robot.urdf).read_text()))
    assert cell.spin_until(lambda: cell.part._ended) and cell.of_wm() == []
