"""Parameters that a node does not have are refused when it is configured, by name and with what to do instead."""

import sys

import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn

from wm_core.given_parameters import refuse_unknown
from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError, Param

pytestmark = pytest.mark.ros


class Walker(WmNode):
    PARAMETERS = (Param("speed", 1.0, "[m/s]"), Param("gait.legs", 2, "how many"))
    RETIRED = {"haste": "is 'speed' now"}


@pytest.fixture
def walker(tmp_path, monkeypatch):
    """A node started with a parameter file of this text, and with these further arguments."""
    nodes = []

    def start(text: str, *arguments: str) -> Walker:
        file = tmp_path / "walker.yaml"
        file.write_text(text)
        monkeypatch.setattr(sys, "argv", ["walker", "--ros-args", "--params-file", str(file), *arguments])
        rclpy.init()
        nodes.append(Walker("walker", namespace="/zoo"))
        return nodes[0]

    yield start
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()


def section(name: str, parameters: str) -> str:
    return f"{name}: {{ros__parameters: {{{parameters}}}}}\n"


def why(node: WmNode) -> str:
    with pytest.raises(ConfigError) as refused:
        refuse_unknown(node, node.RETIRED)
    return str(refused.value)


@pytest.mark.parametrize(
    "file",
    [
        section("/**/walker", "sped: 2.0"),
        section("/zoo/walker", "sped: 2.0"),
        "/zoo: {walker: {ros__parameters: {sped: 2.0}}}",
    ],
)
def test_a_misspelt_name_is_refused_with_the_closest(walker, file):
    node = walker(file)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "unknown parameters of walker: 'sped' (did you mean 'speed'?)" in why(node)


def test_a_retired_name_is_refused_with_what_to_do_instead(walker):
    node = walker(section("/**/walker", "haste: 2.0, wings: 2"))
    assert "'haste' is 'speed' now" in why(node) and "'wings' is none of its parameters" in why(node)


def test_what_a_file_says_for_every_node_may_be_for_another_one(walker):
    node = walker(section("/**", "wings: 2, speed: 3.0"))
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS and node.value("speed") == 3.0


def test_but_not_where_it_is_retired_or_said_for_this_one_too(walker):
    node = walker(section("/**", "haste: 2.0, wings: 2") + section("/**/walker", "wings: 2"))
    assert "haste" in why(node) and "wings" in why(node)


def test_ros_own_names_and_nested_ones_pass(walker):
    node = walker(
        section("/**/walker", "use_sim_time: true, gait: {legs: 4}, start_type_description_service: false")
        + section("/**/other", "wings: 2"),
        "-p", "qos_overrides./tf.publisher.depth:=5",
    )  # fmt: skip
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS and node.value("gait.legs") == 4


def test_the_command_line_is_refused_likewise(walker):
    assert "'sped'" in why(walker(section("/**/walker", "speed: 2.0"), "-p", "sped:=2.0"))
