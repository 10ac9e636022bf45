"""The dynamics node through real DDS: observations in; belief, errors and imagined futures out."""

import gc
import shutil

import numpy as np
import pytest
import rclpy
import yaml
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from wm_msgs.msg import Belief, Command, Future, ObjectState, Observation, Plan, PredictionError
from wm_msgs.srv import Imagine, PrepareBundle

from wm_core.bundle import Bundle
from wm_core.conversions import object_xy, tool_message
from wm_core.executed import ExecutedMotion
from wm_core.qos import STATE
from wm_core.scene import ToolState
from wm_core.stamps import to_msg, to_ns
from wm_dynamics.conversions import record_executed
from wm_dynamics.node import DynamicsNode

pytestmark = pytest.mark.ros
NAMESPACE = "/wm_dynamics_test"
STEP_NS = 100_000_000


@pytest.fixture
def world(bundle):
    rclpy.init()
    node = DynamicsNode(namespace=NAMESPACE)
    node.trigger_configure()
    node.trigger_activate()
    world = World(node, bundle)
    yield world
    node.trigger_deactivate()
    node.trigger_cleanup()
    world.me.destroy_node()
    node.destroy_node()
    rclpy.shutdown()


class World:
    def __init__(self, node, bundle):
        self.node, self.bundle = node, bundle
        self.me = rclpy.create_node("world", namespace=NAMESPACE)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)
        self.executor.add_node(self.me)
        self.beliefs, self.errors, self.futures, self.images = [], [], [], []
        for kind, topic, heard in (
            (Belief, "wm/belief", self.beliefs),
            (PredictionError, "wm/prediction_error", self.errors),
            (Future, "wm/future", self.futures),
            (Image, "wm/imagined_image", self.images),
        ):
            self.me.create_subscription(kind, topic, heard.append, STATE)
        self.observations = self.me.create_publisher(Observation, "wm/observation", STATE)
        self.plans = self.me.create_publisher(Plan, "wm/plan", STATE)
        self.imagine = self.me.create_client(Imagine, "wm/imagine")
        self.prepare = self.me.create_client(PrepareBundle, "wm_dynamics/prepare_bundle")
        self.until(lambda: self.observations.get_subscription_count() and self.imagine.service_is_ready())

    def observe(self, stamp_ns, model_id=None, embedding=None):
        if embedding is None:
            embedding = np.zeros(self.bundle.embedding_size)
            embedding[:5] = [0.5, 0.1, -11, -11, 8]
        message = Observation(model_id=model_id or self.bundle.id, embedding=embedding.tolist())
        message.objects = [ObjectState(id="object_0", visibility=1.0)]
        message.header.stamp, message.header.frame_id = to_msg(stamp_ns), "table"
        message.tool = tool_message(ToolState.at(0.3, -0.25, 0.027))
        self.observations.publish(message)

    def until(self, condition, seconds=10.0):
        end = self.me.get_clock().now().nanoseconds + seconds * 1e9
        while not condition() and self.me.get_clock().now().nanoseconds < end:
            self.executor.spin_once(timeout_sec=0.05)
        assert condition()

    def prepared(self, folder):
        future = self.prepare.call_async(PrepareBundle.Request(folder=str(folder)))
        self.until(future.done)
        return future.result()

    def ask(self, **fields):
        future = self.imagine.call_async(Imagine.Request(**fields))
        self.until(future.done)
        return future.result()


def test_every_observation_gives_a_belief_with_its_stamp(world):
    for i in range(1, 4):
        world.observe(i * STEP_NS)
    world.until(lambda: len(world.beliefs) == 3 and len(world.errors) == 3)
    assert [to_ns(b.header.stamp) for b in world.beliefs] == [STEP_NS, 2 * STEP_NS, 3 * STEP_NS]
    last = world.beliefs[-1]
    assert last.model_id == world.bundle.id and len(last.mean) == world.bundle.latent_size
    assert tuple(object_xy(last.objects)) == pytest.approx((0.5, 0.1), abs=0.005)
    assert not world.errors[-1].surprising


def test_an_observation_that_comes_again_is_answered_again(world):
    """Lockstep stood still where nobody had heard the first belief, until somebody reset the simulator."""
    for _ in range(2):
        world.observe(STEP_NS)
    world.observe(STEP_NS, embedding=np.zeros(world.bundle.embedding_size))  # another one of the same time is refused
    world.observe(2 * STEP_NS)
    world.until(lambda: len(world.beliefs) == 3 and len(world.errors) == 2)
    first, again = map(serialize_message, world.beliefs[:2])  # NaN is not NaN, but its bytes are
    assert first == again and to_ns(world.beliefs[2].header.stamp) == 2 * STEP_NS
    assert world.node.counts["repeated"] == 1 and world.node.counts["bad_observation"] == 1


def test_observations_of_another_model_or_with_nan_are_counted_not_believed(world):
    world.observe(STEP_NS, model_id="another")
    world.observe(2 * STEP_NS, embedding=np.full(world.bundle.embedding_size, np.nan))
    world.observe(3 * STEP_NS)  # the sentinel: what comes before it has been handled
    world.until(lambda: world.beliefs)
    assert [to_ns(b.header.stamp) for b in world.beliefs] == [3 * STEP_NS]
    assert world.node.counts["wrong_model"] == 1 and world.node.counts["bad_observation"] == 1


def test_what_if(world):
    refused = world.ask(branches=1, horizon=3, actions=[0.0] * 6)
    assert not refused.success and "belief" in refused.message
    world.observe(STEP_NS)
    world.until(lambda: world.beliefs)
    answer = world.ask(branches=2, horizon=3, actions=[0.1] * 12, decode=True)
    assert answer.success and len(answer.future.branches) == 2 and len(answer.future.branches[0].objects[0].poses) == 3
    assert answer.future.images[0].height == world.bundle.bev.rows
    wrong = world.ask(branches=2, horizon=3, actions=[0.1] * 5)
    assert not wrong.success and "got 5" in wrong.message


def test_the_current_plan_is_imagined(world):
    world.plans.publish(Plan(horizon=6, action_size=2, actions=[0.5] * 12))
    world.until(lambda: world.node._plan is not None)
    world.observe(STEP_NS)
    world.until(lambda: world.futures and world.images)
    assert len(world.futures[0].branches[0].objects[0].poses) == 6
    assert world.futures[0].branches[0].objects[0].position_std[-1] >= 0


def test_a_prepared_bundle_takes_over_with_its_first_observation(world, another):
    for i in range(1, 5):
        world.observe(i * STEP_NS)
    world.until(lambda: len(world.beliefs) == 4)
    answer = world.prepared(another)
    assert answer.success and answer.model_id == "another", answer.message
    world.observe(5 * STEP_NS)
    world.until(lambda: len(world.beliefs) == 5)
    assert world.beliefs[-1].model_id == world.bundle.id  # prepared only
    world.observe(6 * STEP_NS, model_id="another")
    world.until(lambda: len(world.beliefs) == 6 and len(world.errors) == 6)
    before, after = world.beliefs[-2:]
    assert after.model_id == world.errors[-1].model_id == "another"
    assert object_xy(after.objects) == pytest.approx(object_xy(before.objects), abs=0.002)
    assert world.errors[-1].error < 0.005  # the place was taken over: it is no surprise
    assert world.node.value("bundle") == str(another)
    world.observe(7 * STEP_NS)  # of the bundle before, which is gone
    world.observe(8 * STEP_NS, model_id="another")
    world.until(lambda: len(world.beliefs) == 7)
    assert world.node.counts["wrong_model"] == 1


def test_while_a_bundle_is_prepared_beliefs_go_on_and_only_one_is(world, another):
    first = world.prepare.call_async(PrepareBundle.Request(folder=str(another)))
    second = world.prepare.call_async(PrepareBundle.Request(folder=str(another)))
    world.observe(STEP_NS)
    world.until(lambda: world.beliefs and first.done() and second.done())
    assert sorted([first.result().success, second.result().success]) == [False, True]
    refused = next(answer for answer in (first.result(), second.result()) if not answer.success)
    assert "one bundle at a time" in refused.message


def test_bundles_that_cannot_take_over_are_refused_with_the_reason(world, bare, another, tmp_path):
    nothing = world.prepared(tmp_path)
    assert not nothing.success and "bundle.yaml" in nothing.message
    same = world.prepared("")
    assert same.success and same.message == "in use already" and same.model_id == world.bundle.id
    twin = world.prepared(bare)  # another one under the same id
    assert not twin.success and "an id of its own" in twin.message
    torn = shutil.copytree(another, tmp_path / "torn")
    (torn / "filter.onnx").write_bytes(b"no graph")
    broken = world.prepared(torn)
    assert not broken.success and "filter.onnx" in broken.message
    spec = yaml.safe_load((another / "bundle.yaml").read_text())
    slow = shutil.copytree(another, tmp_path / "slow")
    (slow / "bundle.yaml").write_text(yaml.safe_dump({**spec, "step_duration": 0.2}))
    other = world.prepared(slow)
    assert not other.success and "expected step_duration 0.1" in other.message
    world.observe(STEP_NS)
    world.until(lambda: world.beliefs)
    assert world.beliefs[-1].model_id == world.bundle.id


def test_of_a_bundle_that_is_refused_nothing_is_kept(world, another, tmp_path):
    spec = yaml.safe_load((another / "bundle.yaml").read_text())
    slow = shutil.copytree(another, tmp_path / "slow")
    (slow / "bundle.yaml").write_text(yaml.safe_dump({**spec, "step_duration": 0.2}))

    def bundles():
        return sum(isinstance(each, Bundle) for each in gc.get_objects())

    before = bundles()
    gc.disable()  # which would find them in the end
    try:
        for _ in range(3):
            assert not world.prepared(slow).success
        assert bundles() == before
    finally:
        gc.enable()


def test_a_command_of_which_nothing_was_sent_moved_nothing():
    motion, nan = ExecutedMotion(), float("nan")
    refused = Command(status=Command.HOLD, reason="no_state: nothing sent")
    refused.tool_start.position.x = refused.tool_end.position.x = nan
    record_executed(motion, refused)
    assert not len(motion)
