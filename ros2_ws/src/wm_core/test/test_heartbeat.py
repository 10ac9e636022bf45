"""Heartbeats: who, where, in which state, with simulated time standing still too."""

import os
import time

import pytest
import rclpy
from lifecycle_msgs.msg import State
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from wm_msgs.msg import Heartbeat

from wm_core.heartbeat import PERIOD_S, QOS, TOPIC, beat, host
from wm_core.lifecycle import WmNode

pytestmark = pytest.mark.ros


@pytest.fixture
def heard():
    """Spins some nodes for a while, and returns the heartbeats that are heard meanwhile."""
    context = rclpy.Context()
    rclpy.init(context=context)
    listener = rclpy.create_node("listener", context=context, namespace="/wm_heartbeat_test")
    beats = []
    listener.create_subscription(Heartbeat, TOPIC, beats.append, QOS)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)

    def spin(seconds):
        beats.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.05)
        return list(beats)

    spin.context, spin.executor = context, executor
    yield spin
    executor.shutdown()
    listener.destroy_node()
    rclpy.shutdown(context=context)


def test_a_node_says_who_it_is_and_in_which_state(heard):
    simulated = Parameter("use_sim_time", value=True)
    node = WmNode("part", namespace="/wm_heartbeat_test", context=heard.context, parameter_overrides=[simulated])
    heard.executor.add_node(node)
    beats = heard(1.5)
    assert 3 <= len(beats) <= 1.5 / PERIOD_S + 1
    assert {(each.node, each.host, each.pid) for each in beats} == {("part", host(), os.getpid())}
    assert {each.state for each in beats} == {State.PRIMARY_STATE_UNCONFIGURED}
    node.trigger_configure()
    node.trigger_activate()
    assert heard(0.7)[-1].state == State.PRIMARY_STATE_ACTIVE
    node.trigger_deactivate()
    assert heard(0.7)[-1].state == State.PRIMARY_STATE_INACTIVE
    node.destroy_node()


def test_a_node_without_a_life_cycle_is_active(heard):
    node = rclpy.create_node("client", namespace="/wm_heartbeat_test", context=heard.context)
    beat(node)
    heard.executor.add_node(node)
    assert {each.state for each in heard(1.0)} == {State.PRIMARY_STATE_ACTIVE}
    node.destroy_node()
