"""What RViz and Foxglove are shown, and that their files name topics that wm has."""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import rclpy
import yaml
from geometry_msgs.msg import Point, Pose, PoseStamped, Vector3
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker
from wm_msgs.msg import Belief, Goal, GoalEvent, ObjectState, Plan, ToolState

from wm_bringup import scene_markers
from wm_bringup.graph_parts import config
from wm_bringup.scene_view import SceneView
from wm_core.paths import rig_path
from wm_core.qos import LATCHED
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_core.rotations import pose_of, rotation_of, rotation_of_quaternion

TABLE = Header(frame_id="table")
SHOWN = {
    "wm/cloud",
    "wm/object_cloud",
    "wm/object_markers",
    "wm/scene_markers",
    "wm/candidate_markers",
    "wm/future_markers",
    "wm/imagined_image",
}


@pytest.fixture
def belief() -> Belief:
    """A block that is there, with an error of 3 mm, and a slot that is empty."""
    block = ObjectState(id="object_0", presence=0.9, visibility=1.0, pose=Pose(position=Point(x=0.5, y=0.1, z=0.02)))
    block.size, block.pose_std = Vector3(x=0.04, y=0.05, z=0.06), [0.003, 0.002, *[np.nan] * 4]
    return Belief(header=TABLE, objects=[block, ObjectState(id="object_1", presence=0.1)])


def test_objects_that_are_there_are_boxes_with_their_names(belief):
    deleted, box, name = scene_markers.belief_markers(belief).markers
    assert deleted.action == Marker.DELETEALL
    assert (box.scale.x, box.scale.y, box.scale.z) == (0.04, 0.05, 0.06) and box.pose.position.x == 0.5
    assert name.text == "object_0 +-3 mm" and name.header.frame_id == "table"


def test_an_object_of_unknown_size_is_shown_all_the_same(belief):
    belief.objects[0].size = Vector3(x=float("nan"))
    assert scene_markers.belief_markers(belief).markers[1].scale.x == 0.02


def test_plans_are_coloured_by_their_cost():
    plan = Plan(header=TABLE, tool=[ToolState(position=Point(x=0.4)), ToolState(position=Point(x=0.5))])
    colours = []
    for plan.cost in (1.0, 2.0, 3.0):
        (line,) = scene_markers.plan_markers(plan, (1.0, 3.0)).markers
        colours.append((line.color.r, line.color.g))
    assert colours == [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)] and len(line.points) == 2
    assert scene_markers.plan_markers(plan, (3.0, 3.0)).markers[0].color.g == 1.0


def test_a_goal_is_as_wide_as_its_tolerance():
    goal = Goal(object_pose=PoseStamped(header=TABLE, pose=Pose(position=Point(x=0.5, z=3.0))), tolerance=0.05)
    (disk,) = scene_markers.goal_markers(TABLE, goal).markers
    assert disk.scale.x == pytest.approx(0.1) and disk.pose.position.z == 0.001


def test_a_goal_without_a_frame_is_drawn_in_that_of_the_belief():
    goal, workbench = Goal(kind=Goal.OBJECT_POSE), Header(frame_id="workbench")
    (disk,) = scene_markers.goal_markers(workbench, goal).markers
    assert (
        disk.header.frame_id == scene_markers.goal_transform(workbench, "wm_goal", goal).header.frame_id == "workbench"
    )


def test_latencies_are_said_in_words():
    (text,) = scene_markers.latency_markers(TABLE, {"plan": 40.4, "camera to command": 85.0}).markers
    assert text.text == "plan 40 ms\ncamera to command 85 ms"


def test_cameras_and_objects_are_frames(belief):
    rig = CameraRig.load(rig_path("one_camera"))
    (camera,) = scene_markers.camera_transforms(TABLE, rig)
    assert (camera.header.frame_id, camera.child_frame_id) == ("table", "camera_left_rig_optical_frame")
    q = camera.transform.rotation
    np.testing.assert_allclose(rotation_of_quaternion(q.x, q.y, q.z, q.w), rig.cameras[0].T_table_optical[:3, :3])
    (block,) = scene_markers.belief_transforms(belief)
    assert block.child_frame_id == "object_0" and block.transform.translation.y == 0.1


@pytest.mark.ros
def test_cameras_objects_and_the_goal_are_on_tf(belief):
    """As RViz hears them: cameras latched, the rest with each belief."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    given = {"rig": "two_cameras", "robot": "ur5e", "tf_prefix": "left_"}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    view = SceneView(namespace="scene", context=context, parameter_overrides=overrides)
    other = rclpy.create_node("viewer", namespace="scene", context=context)
    executor = SingleThreadedExecutor(context=context)
    for node in (view, other):
        executor.add_node(node)
    heard: dict[str, str] = {}

    def hear(message):
        heard.update({each.child_frame_id: each.header.frame_id for each in message.transforms})

    other.create_subscription(TFMessage, "/tf", hear, 100)
    other.create_subscription(TFMessage, "/tf_static", hear, LATCHED)
    beliefs, goals = other.create_publisher(Belief, "wm/belief", 1), other.create_publisher(GoalEvent, "wm/goal", 10)
    goal = Goal(kind=Goal.OBJECT_POSE, object_pose=PoseStamped(header=TABLE))
    try:
        end = time.monotonic() + 30
        while len(heard) < 6 and time.monotonic() < end:
            goals.publish(GoalEvent(event=GoalEvent.BEGIN, goal=goal))
            beliefs.publish(belief)
            executor.spin_once(timeout_sec=0.1)
    finally:
        executor.shutdown()
        for node in (view, other):
            node.destroy_node()
        rclpy.shutdown(context=context)
    cameras = ("camera_left_rig_optical_frame", "camera_right_rig_optical_frame")
    on_table = dict.fromkeys((*cameras, "object_0", "wm_goal"), "table")
    assert heard == {**on_table, "table": "left_base_link", "left_pusher": "left_tool0"}


def test_the_table_is_a_child_of_the_base_which_may_have_a_parent_of_its_own():
    robot = replace(load_robot("ur5e"), T_table_base=pose_of(rotation_of([0, 0, 90]), [0.5, 0.0, 0.02]))
    table, tool = scene_markers.robot_transforms(TABLE, robot)
    assert (table.header.frame_id, table.child_frame_id) == (robot.base_frame, "table")
    assert (table.transform.translation.y, table.transform.translation.z) == pytest.approx((0.5, -0.02))
    assert (tool.header.frame_id, tool.child_frame_id) == (robot.tool.mount.link, robot.tool.link)
    (table,) = scene_markers.robot_transforms(TABLE, load_robot("panda"))  # its tool is in its URDF
    assert table.child_frame_id == "table"


def test_rviz_shows_what_wm_publishes():
    displays = yaml.safe_load(config("arm.rviz").read_text())["Visualization Manager"]["Displays"]
    topics = {each["Topic"]["Value"] for each in displays if "Topic" in each}
    assert topics == {*SHOWN, "/camera/camera/color/image_raw"}


def test_foxglove_shows_what_wm_publishes():
    layout = json.loads(config("foxglove.json").read_text())
    text = json.dumps(layout)
    assert {name.removeprefix("/") for name in re.findall(r"/wm/\w+(?=\")", text)} >= SHOWN
    placed = set(re.findall(r"\w+!\w+", json.dumps(layout["layout"])))
    assert placed == set(layout["configById"])
    for message, field in re.findall(r"/wm/(belief|plan)\.(\w+)", text):
        assert hasattr({"belief": Belief, "plan": Plan}[message](), field)
