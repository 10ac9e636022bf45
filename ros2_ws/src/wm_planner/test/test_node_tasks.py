"""The planner node and task files: their weights are parameters, and what does not fit is refused by name."""

import pytest
import rest_of_robot
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from wm_core.task import task_path

node = rest_of_robot.node

pytestmark = pytest.mark.ros


def task_file(tmp_path, *changes):
    """Path of a copy of push.yaml with some replacements in its text."""
    text = task_path("push").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return str(file)


def test_the_weights_of_a_task_are_parameters_that_can_be_overridden(node, tmp_path):
    file = task_file(
        tmp_path, ("goal: {weight: 10.0}", "goal: {weight: 7.0}"), ("fine: {weight: 1.0", "fine: {weight: 3.0")
    )
    assert node.value("cost.goal") == 10.0
    node.set_parameters([Parameter("task", value=file)])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert (node.value("cost.goal"), node.value("cost.fine")) == (7.0, 3.0)
    node.trigger_cleanup()
    node.set_parameters([Parameter("cost.goal", value=8.0)])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert (node.value("cost.goal"), node.value("cost.fine")) == (8.0, 3.0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("rate: 10 ", "rate: 20 "), "rate: the task says 20 Hz, the bundle 10 Hz"),
        (("  effort: {weight: 0.02}", "  efort: {weight: 0.02}"), "costs.efort: expected a cost term out of"),
        (("time_limit: 10.0", "time_limit: soon"), "time_limit: 'soon' is not of type 'number'"),
    ],
)
def test_a_task_that_cannot_be_done_is_refused_by_name(node, tmp_path, capfd, change, expected):
    node.set_parameters([Parameter("task", value=task_file(tmp_path, change))])
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert expected in capfd.readouterr().err
