"""State is heard whoever offers it: reliable, best effort, and a best-effort publisher that comes later."""

import time

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import String

from wm_core.lifecycle import WmNode
from wm_core.qos import SENSOR, STATE

pytestmark = pytest.mark.ros


class Listener(WmNode):
    def setup(self):
        self.heard = []
        self.offered = self.subscribe_offered(String, "joint_states", lambda message: self.heard.append(message.data))


@pytest.fixture
def ros():
    rclpy.init()
    node, driver = (
        Listener("listener", namespace="/wm_offered_test"),
        rclpy.create_node("driver", namespace="/wm_offered_test"),
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(driver)
    yield node, driver, executor
    node.destroy_node()
    driver.destroy_node()
    rclpy.shutdown()


def hears(node, publisher, executor, text):
    end = time.monotonic() + 10
    while text not in node.heard:
        assert time.monotonic() < end, f"'{text}' was never heard"
        publisher.publish(String(data=text))
        executor.spin_once(timeout_sec=0.1)


@pytest.mark.parametrize("before", [False, True])
def test_best_effort_joint_states_are_heard_whoever_starts_first(ros, before):
    node, driver, executor = ros
    publisher = driver.create_publisher(String, "joint_states", SENSOR) if before else None
    node.trigger_configure()
    node.trigger_activate()
    publisher = publisher or driver.create_publisher(String, "joint_states", SENSOR)
    hears(node, publisher, executor, "arm")
    assert not node.offered.reliable


def test_reliable_ones_stay_reliable_until_a_best_effort_one_joins(ros):
    node, driver, executor = ros
    node.trigger_configure()
    node.trigger_activate()
    arm = driver.create_publisher(String, "joint_states", STATE)
    hears(node, arm, executor, "arm")
    assert node.offered.reliable
    gripper = driver.create_publisher(String, "joint_states", SENSOR)
    hears(node, gripper, executor, "gripper")
    hears(node, arm, executor, "arm again")
    assert not node.offered.reliable
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert not arm.get_subscription_count() or not any(
        each.node_name == "listener" for each in driver.get_subscriptions_info_by_topic("/wm_offered_test/joint_states")
    )
