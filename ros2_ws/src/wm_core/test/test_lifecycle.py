"""The base class of all nodes: parameters are checked by name, a failed configuration leaves the node alive."""

from contextlib import contextmanager

import pytest
import rclpy
from rcl_interfaces.msg import ParameterEvent
from rclpy.clock import ClockType
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import String

from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError, Param
from wm_core.qos import LATCHED, STATE

pytestmark = pytest.mark.ros


class Echo(WmNode):
    PARAMETERS = (
        Param("rate", 10.0, "[Hz]", 0.1, 100.0),
        Param("mode", "fast", "how", choices=("fast", "slow")),
        Param("names", [], "some names"),
    )

    def setup(self):
        if self.value("mode") == "slow":
            raise ConfigError("slow is not built yet; use fast")
        self.heard = []
        self.subscribe(String, "heard", self.on_message, STATE)

    def on_message(self, message):
        if message.data == "bad":
            raise RuntimeError("cannot stand this")
        self.heard.append(message.data)


@contextmanager
def running(kind):
    rclpy.init()
    node = kind("echo", namespace="/wm_core_test")
    yield node
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def node():
    with running(Echo) as node:
        yield node


def send(node, *texts):
    sender = rclpy.create_node("sender", namespace="/wm_core_test")
    publisher = sender.create_publisher(String, "heard", STATE)
    while not publisher.get_subscription_count():
        rclpy.spin_once(node, timeout_sec=0.05)
    for text in texts:
        publisher.publish(String(data=text))
    for _ in range(20):
        rclpy.spin_once(node, timeout_sec=0.05)
    sender.destroy_node()


def test_parameters_have_their_defaults(node):
    assert node.value("rate") == 10.0
    assert node.value("names") == []


@pytest.mark.parametrize(("name", "value"), [("rate", 1000.0), ("mode", "backwards")])
def test_a_bad_value_is_refused_by_name(node, name, value):
    result = node.set_parameters([Parameter(name, value=value)])[0]
    assert not result.successful
    assert name in result.reason
    assert node.value(name) != value


def test_callbacks_run_only_while_active_and_their_errors_are_not_fatal(node):
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    send(node, "too early")
    node.trigger_activate()
    send(node, "one", "bad", "two")
    assert node.heard == ["one", "two"]
    node.trigger_deactivate()
    send(node, "too late")
    assert node.heard == ["one", "two"]


def test_timers_go_on_when_the_computers_clock_is_set_back(node):
    node.trigger_configure()
    assert {timer.clock.clock_type for timer in node.timers} == {ClockType.STEADY_TIME}


def test_a_failed_configuration_can_be_mended(node):
    node.set_parameters([Parameter("mode", value="slow")])
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    node.set_parameters([Parameter("mode", value="fast")])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS


def test_what_it_is_configured_with_is_published_for_late_listeners(node):
    node.set_parameters([Parameter("rate", value=20.0)])
    node.trigger_configure()
    listener, heard = rclpy.create_node("listener", namespace="/wm_core_test"), []
    listener.create_subscription(ParameterEvent, "wm/parameters", heard.append, LATCHED)
    while not heard:
        rclpy.spin_once(listener, timeout_sec=0.05)
    listener.destroy_node()
    values = {each.name: each.value for each in heard[0].new_parameters}
    assert heard[0].node == "/wm_core_test/echo"
    assert values["rate"].double_value == 20.0 and values["mode"].string_value == "fast" and "use_sim_time" in values


class Latched(Echo):
    CHANGEABLE = False

    def setup(self):
        self.heard = []
        self.subscribe(String, "latched", self.on_message, LATCHED)


@pytest.fixture
def latched():
    with running(Latched) as node:
        yield node


def test_what_a_latched_topic_said_while_the_node_was_inactive_is_heard_when_it_is_active(latched):
    """A driver that says its state on change only may never say it again."""
    sender = rclpy.create_node("sender", namespace="/wm_core_test")
    publisher = sender.create_publisher(String, "latched", LATCHED)
    publisher.publish(String(data="before"))
    latched.trigger_configure()
    for _ in range(20):
        rclpy.spin_once(latched, timeout_sec=0.05)
    assert latched.heard == []
    latched.trigger_activate()
    assert latched.heard == ["before"]
    publisher.publish(String(data="after"))
    for _ in range(20):
        rclpy.spin_once(latched, timeout_sec=0.05)
    assert latched.heard == ["before", "after"]
    sender.destroy_node()


def test_parameters_that_would_do_nothing_are_refused(latched):
    (before,) = latched.set_parameters([Parameter("rate", value=20.0)])
    latched.trigger_configure()
    (after,) = latched.set_parameters([Parameter("rate", value=30.0)])
    assert before.successful and not after.successful and "'rate': expected to be set before" in after.reason
    assert latched.value("rate") == 20.0


def test_what_is_rejected_again_and_again_is_counted_each_time_and_said_once(node, monkeypatch):
    said = []
    monkeypatch.setattr(node.get_logger().__class__, "warning", lambda self, text, **_: said.append(text))
    for _ in range(20):
        node.reject("bad_depth", "left: not aligned")
        node.reject("bad_colour", "right: rgb24")
    assert said == ["left: not aligned", "right: rgb24"]
    assert node.counts == {"bad_depth": 20, "bad_colour": 20} and node.last_problem == "right: rgb24"
