"""The perception node through real DDS: a camera's messages in, observations out, bad input counted."""

from dataclasses import replace

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState, PointCloud2
from wm_msgs.msg import DetectedObjects, Observation
from wm_msgs.srv import PrepareBundle, UseBundle

from wm_core.conversions import object_xy, tool_state
from wm_core.lifecycle import OK, WARN
from wm_core.qos import SENSOR, STATE
from wm_core.stamps import to_msg, to_ns
from wm_perception.node import PerceptionNode

pytestmark = pytest.mark.ros
NAMESPACE = "/wm_perception_test"
STEP_NS = 100_000_000


class Robot:
    """Publishes a scene as drivers do, and collects what perception says."""

    def __init__(self, scene, node):
        scene.frames(10_000)
        self.scene = scene
        self.node = node
        self.me = rclpy.create_node("robot", namespace=NAMESPACE)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)
        self.executor.add_node(self.me)
        self.seen: list[Observation] = []
        self.objects: list[DetectedObjects] = []
        self.me.create_subscription(Observation, "wm/observation", self.seen.append, STATE)
        self.heard_objects = self.me.create_subscription(DetectedObjects, "wm/objects", self.objects.append, STATE)
        self.joints = self.me.create_publisher(JointState, "joint_states", STATE)
        self.prepare = self.me.create_client(PrepareBundle, "wm_perception/prepare_bundle")
        self.use = self.me.create_client(UseBundle, "wm_perception/use_bundle")
        self.streams = {
            camera.name: (
                self.me.create_publisher(CameraInfo, f"{camera.name}/color/camera_info", SENSOR),
                self.me.create_publisher(Image, f"{camera.name}/color/image_raw", SENSOR),
                self.me.create_publisher(Image, f"{camera.name}/aligned_depth_to_color/image_raw", SENSOR),
            )
            for camera in scene.rig.cameras
        }
        self.spin_until(lambda: all(p.get_subscription_count() for stream in self.streams.values() for p in stream))

    def send(self, stamp_ns, seed=10_000, encoding="rgb8", names=None, depth_change=None):
        self.send_joints(stamp_ns, names)
        self.spin(0.05)
        self.send_images(stamp_ns, seed, encoding, depth_change)
        self.spin(0.2)

    def send_joints(self, stamp_ns, names=None, positions=None):
        positions = self.scene.q.tolist() if positions is None else positions
        state = JointState(name=names or list(self.scene.kinematics.joint_names), position=positions)
        state.header.stamp = to_msg(stamp_ns)
        self.joints.publish(state)

    def send_images(self, stamp_ns, seed=10_000, encoding="rgb8", depth_change=None):
        frames = self.scene.frames(seed)
        header = {"stamp": to_msg(stamp_ns), "frame_id": "camera"}
        for name, (info, colour, depth) in self.streams.items():
            frame = frames[name]
            metres = frame.depth.copy()
            if depth_change is not None:
                depth_change(metres)
            height, width = metres.shape
            for publisher, message in (
                (info, CameraInfo(height=height, width=width, k=frame.K.reshape(-1))),
                (
                    colour,
                    Image(height=height, width=width, encoding=encoding, step=3 * width, data=frame.rgb.tobytes()),
                ),
                (depth, Image(height=height, width=width, encoding="32FC1", step=4 * width, data=metres.tobytes())),
            ):
                message.header.stamp, message.header.frame_id = header["stamp"], header["frame_id"]
                publisher.publish(message)

    def ask(self, client, request):
        self.spin_until(client.service_is_ready)
        answer = client.call_async(request)
        self.spin_until(answer.done)
        return answer.result()

    def spin(self, seconds):
        end = self.me.get_clock().now().nanoseconds + seconds * 1e9
        while self.me.get_clock().now().nanoseconds < end:
            self.executor.spin_once(timeout_sec=0.02)

    def spin_until(self, condition, seconds=10.0):
        end = self.me.get_clock().now().nanoseconds + seconds * 1e9
        while not condition() and self.me.get_clock().now().nanoseconds < end:
            self.executor.spin_once(timeout_sec=0.05)
        assert condition()


@pytest.fixture
def robot(scene):
    rclpy.init()
    node = PerceptionNode(namespace=NAMESPACE)
    node.set_parameters([Parameter("detection_period", value=0.2)])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    robot = Robot(scene, node)
    yield robot
    node.trigger_deactivate()
    node.trigger_cleanup()
    robot.me.destroy_node()
    node.destroy_node()
    rclpy.shutdown()


def test_images_become_observations_with_their_own_stamp(robot):
    robot.send(STEP_NS)
    robot.spin_until(lambda: robot.seen)
    seen = robot.seen[0]
    assert to_ns(seen.header.stamp) == STEP_NS
    assert seen.header.frame_id == "table"
    assert np.linalg.norm(object_xy(seen.objects) - robot.scene.truth[:2]) < 0.02
    tool = tool_state(seen.tool)
    assert abs(tool.pitch) < 0.05 and np.isnan(tool.opening)
    robot.spin_until(lambda: robot.objects)
    assert robot.objects[0].objects


def test_all_that_is_seen_is_published_for_whoever_looks_at_it(robot):
    """Nobody listens to the objects here."""
    robot.me.destroy_subscription(robot.heard_objects)
    robot.send(1 * STEP_NS)
    clouds: list[PointCloud2] = []
    robot.me.create_subscription(PointCloud2, "wm/cloud", clouds.append, STATE)
    robot.spin_until(
        lambda: robot.node.count_subscribers("wm/cloud") and not robot.node.count_subscribers("wm/objects")
    )
    steps = iter(range(2, 100))
    robot.spin_until(lambda: robot.send(next(steps) * STEP_NS) or clouds)
    assert clouds[0].header.frame_id == "table" and clouds[0].width > 1000 and robot.objects == []


def test_joint_states_that_are_offered_best_effort_are_heard(robot):
    """A reliable subscription stays deaf to them: no observation came, as if the arm were off."""
    robot.me.destroy_publisher(robot.joints)
    robot.joints = robot.me.create_publisher(JointState, "joint_states", SENSOR)
    robot.spin_until(lambda: robot.joints.get_subscription_count())
    robot.spin(0.3)
    robot.send(STEP_NS)
    robot.spin_until(lambda: robot.seen)


def test_a_camera_that_was_bumped_is_named_in_the_diagnostics(robot):
    """Here by its height: with the arm at rest the table says it, in a thread beside the observations."""
    said: list[DiagnosticArray] = []
    robot.me.create_subscription(DiagnosticArray, "diagnostics", said.append, STATE)
    believed = robot.node._rig_watch._rig
    higher = believed["camera_right"].T_table_optical + np.array([[0.0] * 4, [0.0] * 4, [0, 0, 0, 0.012], [0.0] * 4])
    believed["camera_right"] = replace(believed["camera_right"], T_table_optical=higher)
    for second in range(1, 12):
        robot.send(second * 10 * STEP_NS)
    name = "camera_right does not stand where the rig says: 12 mm off at the table"
    robot.spin_until(lambda: any(name in status.message for array in said for status in array.status))
    assert not any("camera_left does not stand" in status.message for array in said for status in array.status)


def test_images_wait_for_a_joint_state_that_they_overtook(robot):
    robot.send(1 * STEP_NS)
    robot.spin_until(lambda: len(robot.seen) == 1)
    robot.send_images(2 * STEP_NS)
    robot.spin(0.3)
    assert len(robot.seen) == 1
    robot.send_joints(2 * STEP_NS)
    robot.spin_until(lambda: len(robot.seen) == 2)
    assert to_ns(robot.seen[1].header.stamp) == 2 * STEP_NS
    assert robot.node.counts["no_joint_state"] == 0


def test_a_scene_at_rest_is_no_frozen_camera_when_its_images_came_before_the_joint_states(robot):
    """It was refused for ever: where the arm had been when the images began to repeat was not known."""
    robot.send_images(1 * STEP_NS)
    robot.spin(0.3)
    for step in range(2, 14):
        robot.send(step * STEP_NS)
    robot.spin_until(lambda: robot.seen and to_ns(robot.seen[-1].header.stamp) == 13 * STEP_NS)
    assert robot.node.counts["bad_colour"] == 0


def test_joint_states_that_lied_for_a_while_make_no_frozen_camera_of_a_scene_at_rest(robot):
    """It was refused for ever: between the lie and the truth the arm seemed to have moved."""
    for step in range(1, 20):
        robot.send_joints(step * STEP_NS, positions=[0.0] * 7 if step < 6 else None)
        robot.spin(0.05)
        robot.send_images(step * STEP_NS)
        robot.spin(0.1)
    robot.spin_until(lambda: robot.seen and to_ns(robot.seen[-1].header.stamp) == 19 * STEP_NS)
    assert robot.node.counts["bad_colour"] == 0


def test_a_camera_that_repeats_its_image_while_the_arm_moves_is_frozen(robot):
    for step in range(1, 16):
        turned = robot.scene.q + [0.02 * step, 0, 0, 0, 0, 0, 0]
        robot.send_joints(step * STEP_NS, positions=turned.tolist())
        robot.spin(0.05)
        robot.send_images(step * STEP_NS)
        robot.spin(0.1)
    assert robot.node.counts["bad_colour"] > 0


def test_frames_that_come_again_are_answered_again_in_case_nobody_heard(robot):
    robot.send(1 * STEP_NS)
    robot.spin_until(lambda: len(robot.seen) == 1)
    robot.send_images(1 * STEP_NS)
    robot.spin(0.3)
    assert len(robot.seen) == 1  # in real time it is a camera that hangs
    robot.node.set_parameters([Parameter("use_sim_time", value=True)])
    robot.send_images(1 * STEP_NS)  # as a simulator in lockstep does while no command comes
    robot.spin_until(lambda: len(robot.seen) == 2)
    assert serialize_message(robot.seen[1]) == serialize_message(robot.seen[0])
    robot.send(2 * STEP_NS)
    robot.spin_until(lambda: len(robot.seen) == 3)
    assert to_ns(robot.seen[2].header.stamp) == 2 * STEP_NS


def test_bad_input_is_counted_and_the_node_goes_on(robot):
    def spoil(depth):
        depth[:40] = np.nan

    others = [f"elbow{i}" for i in range(7)]
    robot.send_joints(0, others)  # the arm's under other names, for all that is known
    robot.send(1 * STEP_NS, encoding="rgb24")
    robot.send(2 * STEP_NS, names=others)  # the arm's have come: left alone
    assert robot.seen == []
    assert robot.node.counts["bad_colour"] == 2
    assert robot.node.counts["bad_joint_state"] == 1
    robot.send(4 * STEP_NS, depth_change=spoil)
    robot.spin_until(lambda: robot.seen)
    assert robot.node.counts["invalid_depth_pixels"] > 0
    assert np.isfinite(robot.seen[-1].embedding).all()


def test_what_is_missing_is_named_in_the_diagnostics_and_no_more_once_it_comes(robot):
    """Here a camera whose images are compressed, whose depth nobody publishes, and whose camera_info has another name."""
    said: list[DiagnosticArray] = []
    robot.me.create_subscription(DiagnosticArray, "diagnostics", said.append, STATE)
    elsewhere = robot.me.create_publisher(CompressedImage, "camera_left/color/image_raw/compressed", SENSOR)
    for publisher in robot.streams["camera_left"]:
        robot.me.destroy_publisher(publisher)

    def summary():
        return next((s.message for array in reversed(said) for s in array.status if "perception" in s.name), "")

    robot.spin_until(lambda: "nothing on /wm_perception_test/camera_left/color/image_raw for" in summary())
    text = summary()
    assert "(0 publishers, but /wm_perception_test/camera_left/color/image_raw/compressed is published" in text
    assert "camera_left/aligned_depth_to_color/image_raw for" in text and "or set depth_topic" in text
    robot.me.destroy_publisher(elsewhere)


def test_a_fault_of_the_past_is_no_warning_for_ever(robot):
    said: list[DiagnosticArray] = []
    robot.me.create_subscription(DiagnosticArray, "diagnostics", said.append, STATE)
    robot.send(1 * STEP_NS, encoding="rgb24")
    steps = iter(range(2, 1000))

    def level_is(level):
        robot.send(next(steps) * STEP_NS, depth_change=lambda depth: depth.__setitem__(slice(40), np.nan))
        return any(s.level == level for s in said[-1].status) if said else False

    robot.spin_until(lambda: level_is(WARN))
    robot.spin_until(lambda: level_is(OK), 30.0)
    assert robot.node.counts["bad_colour"] == 2 and robot.node.counts["invalid_depth_pixels"] > 0


def test_a_prepared_bundle_is_used_from_the_next_measurement_on(robot, another):
    robot.send(1 * STEP_NS)
    early = robot.ask(robot.use, UseBundle.Request(model_id="another"))
    assert not early.success and "prepared (none is), got 'another'" in early.message
    assert robot.ask(robot.prepare, PrepareBundle.Request(folder=str(another))).success
    robot.send(2 * STEP_NS)
    assert robot.ask(robot.use, UseBundle.Request(model_id="another")).success
    robot.send(3 * STEP_NS)
    robot.spin_until(lambda: len(robot.seen) == 3)
    assert [seen.model_id == "another" for seen in robot.seen] == [False, False, True]
    assert robot.seen[2].embedding == pytest.approx(robot.seen[1].embedding, abs=1e-5)  # of the same encoder
    assert robot.ask(robot.use, UseBundle.Request(model_id="another")).success  # as it is


def test_a_wrong_bundle_is_refused_and_the_node_lives(tmp_path):
    rclpy.init()
    try:
        node = PerceptionNode(namespace=NAMESPACE)
        node.set_parameters([Parameter("bundle", value=str(tmp_path))])
        assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
        node.set_parameters([Parameter("bundle", value="")])
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        node.destroy_node()
    finally:
        rclpy.shutdown()
