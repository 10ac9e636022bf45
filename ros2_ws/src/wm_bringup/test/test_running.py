"""The verbs that speak to a running wm: goal, stop, reset."""

import threading

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger
from wm_msgs.msg import GoalEvent
from wm_msgs.srv import SetGoal

from wm_bringup.cli import _running
from wm_core.command_line import main
from wm_core.lifecycle import WmNode

pytestmark = pytest.mark.ros


class Planner(WmNode):
    """Reaches what lies on the near half of the table at once, misses the rest, and refuses what is off the table."""

    def setup(self):
        self._events = self.publisher(GoalEvent, "wm/goal", 10)
        self.service(SetGoal, "wm/set_goal", self._on_goal)

    def _on_goal(self, request, response):
        place = request.goal.object_pose.pose.position
        if place.x > 1:
            raise ValueError("expected a goal on the table")
        near = place.x < 0.5
        self._events.publish(GoalEvent(event=GoalEvent.END, success=False, message="preempted"))  # the one before
        self._events.publish(
            GoalEvent(event=GoalEvent.END, goal=request.goal, success=near, message="reached" if near else "timeout")
        )
        response.success = True
        return response


class Guard(WmNode):
    def setup(self):
        for name in ("e_stop", "e_stop_reset"):
            self.service(Trigger, f"wm/{name}", lambda _, response, name=name: self._answer(response, name))

    def _answer(self, response, name):
        response.success, response.message = True, f"heard {name}"
        return response


@pytest.fixture(scope="module")
def zoo():
    """A planner and a guard in the namespace /zoo."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    executor = SingleThreadedExecutor(context=context)
    nodes = [
        kind(name, namespace="zoo", context=context) for kind, name in ((Planner, "wm_planner"), (Guard, "wm_guard"))
    ]
    for node in nodes:
        node.trigger_configure()
        executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield
    executor.shutdown()
    thread.join(5)
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["goal", "0.4", "-0.1"], 0, "pursuing (0.4, -0.1) m\nreached\n"),
        (["goal", "0.6", "0.1"], 1, "pursuing (0.6, 0.1) m\ntimeout\n"),
        (["stop"], 0, "heard e_stop\n"),
        (["reset"], 0, "heard e_stop_reset\n"),
    ],
)
def test_what_is_answered_is_said(zoo, capfd, words, status, said):
    assert main([*words, "--namespace", "/zoo"]) == status
    assert capfd.readouterr().out == said


def test_a_refusal_is_said(zoo, capfd):
    assert main(["goal", "2", "0", "--namespace", "zoo"]) == 2
    assert capfd.readouterr().err.endswith("wm: wm/set_goal: expected a goal on the table\n")


def test_nobody_there_is_said_with_what_to_do(monkeypatch, capfd):
    monkeypatch.setattr(_running, "FOUND_S", 0.3)
    assert main(["stop", "--namespace", "nowhere"]) == 1
    assert "expected /nowhere/wm_guard, which offers wm/e_stop, it does not answer: start it" in capfd.readouterr().err
