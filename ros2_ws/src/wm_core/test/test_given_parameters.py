"""Parameters that a node does not have are refused when it is configured, by name and with what to do instead."""

import sys

import pytest
import rclpy
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rclpy.lifecycle import TransitionCallbackReturn

from wm_core.given_parameters import parameters_in, refuse_unknown
from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError, Param

pytestmark = pytest.mark.ros

DEFAULTS = """
/**/walker:
  ros__parameters: {speed: 1.0, gait: {legs: 2}, called: Rex, tame: true, way: [0.0, 0.0], friends: [Tom]}
"""


class Walker(WmNode):
    PARAMETERS = (
        Param("speed", 1.0, "[m/s]", 0.0, 5.0),
        Param("gait.legs", 2, "how many"),
        Param("called", "Rex", "by its owner"),
        Param("tame", True, "whether it comes then"),
        Param("way", [0.0, 0.0], "[m] where it goes"),
        Param("friends", [], "whom it knows"),
    )
    RETIRED = {"haste": "is 'speed' now"}


@pytest.fixture
def walker(tmp_path, monkeypatch):
    """A node started with a parameter file of this text, and with these further arguments."""
    nodes = []

    def start(text: str, *arguments: str) -> Walker:
        defaults, file = tmp_path / "defaults.yaml", tmp_path / "walker.yaml"
        defaults.write_text(
            DEFAULTS
        )  # a file before it, as in a launch: where ROS keeps this if the other has another type
        file.write_text(text)
        files = ["--params-file", str(defaults), "--params-file", str(file)]
        monkeypatch.setattr(sys, "argv", ["walker", "--ros-args", *files, *arguments])
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


def test_lists_pass_as_launch_ros_writes_them(walker):
    launched = {"/**/walker": {"ros__parameters": {"friends": ("Tom", "Ann"), "way": (0.5, 0.25)}}}
    node = walker(yaml.dump(launched))
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert list(node.value("friends")) == ["Tom", "Ann"] and list(node.value("way")) == [0.5, 0.25]


def test_the_command_line_is_refused_likewise(walker):
    assert "'sped'" in why(walker(section("/**/walker", "speed: 2.0"), "-p", "sped:=2.0"))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("speed: fast", "'speed': expected a number, got 'fast'"),
        ("speed: '2.0'", "'speed': expected a number, got '2.0'"),
        ("speed: true", "'speed': expected a number, got True"),
        ("speed: [1.0]", r"'speed': expected a number, got \[1.0\]"),
        ("gait: {legs: 2.5}", "'gait.legs': expected an integer, got 2.5"),
        ("called: 5", "'called': expected text, got 5"),
        ("tame: 1", "'tame': expected true or false, got 1"),
        ("way: 1.0", "'way': expected a list, each a number, got 1.0"),
        ("way: [a, b]", "'way': expected a list, each a number"),
        ("friends: [1]", "'friends': expected a list, each text"),
    ],
)
@pytest.mark.parametrize("name", ["/**/walker", "/zoo/walker", "/**"])
def test_a_value_of_another_type_is_refused_by_name(walker, name, parameters, expected):
    with pytest.raises(ConfigError, match=f"parameters of walker: {expected}"):
        walker(section(name, parameters))


def test_so_it_is_on_the_command_line(walker):
    with pytest.raises(ConfigError, match="'speed': expected a number, got 'fast'"):
        walker(section("/**/walker", "called: Tim"), "-p", "speed:=fast")


@pytest.mark.parametrize("speed", ["3", "3.0", "3e0", "0.3e1"])
def test_an_integer_is_a_number(walker, speed):
    node = walker(section("/**/walker", f"speed: {speed}, way: [1, 2]"))
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.value("speed") == 3.0 and node.value("way") == [1.0, 2.0]


def test_the_later_of_an_integer_and_a_number_counts(walker):
    assert walker(section("/**/walker", "speed: 3") + section("/zoo/walker", "speed: 2.5")).value("speed") == 2.5


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda inner: st.dictionaries(st.text(max_size=5), inner)
    )
)
def test_the_content_of_a_parameter_file_is_read_or_refused(content):
    try:
        assert all(section.startswith("/") and name for section, name, _ in parameters_in(content))
    except ConfigError as error:
        assert "expected" in str(error)
