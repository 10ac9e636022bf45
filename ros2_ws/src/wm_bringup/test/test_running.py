"""The verbs that speak to a running wm: goal, start, enable, stop, reset."""

import os
import pty
import subprocess
import sys
import threading
import time

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from wm_msgs.msg import GoalEvent
from wm_msgs.srv import SetGoal

from wm_bringup.cli import _running
from wm_bringup.cli.enable import Key
from wm_core.command_line import main
from wm_core.lifecycle import WmNode

pytestmark = pytest.mark.ros


def test_a_key_is_held_from_its_first_repetition_until_it_stays_away():
    key, held = Key(), []
    for now in (1.0, 1.5, 1.53, 1.56):  # the keyboard waits half a second before it repeats
        key.came(now)
        held.append(key.held(now))
    assert held == [False, False, True, True]
    assert key.held(1.66) and not key.held(1.69)
    key.came(1.75)
    assert not key.held(1.75)  # struck anew: not before that repeats


def test_the_enabling_key_wants_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    assert main(["enable"]) == 1
    assert "expected a terminal" in capsys.readouterr().err


def test_the_enabling_key_is_published_while_it_is_held_in_a_terminal():
    """In a terminal of its own: characters that repeat enable, silence releases."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node("listener", namespace="zoo", context=context)
    said: list[tuple[float, bool]] = []
    node.create_subscription(Bool, "wm/enable", lambda m: said.append((time.monotonic(), m.data)), 100)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "wm_bringup.cli", "enable", "--namespace", "zoo"]
    process = subprocess.Popen(command, stdin=inside, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not said:
            assert time.monotonic() < end
            executor.spin_once(timeout_sec=0.1)
        assert said[-1][1] is False
        while not said[-1][1]:
            assert time.monotonic() < end
            os.write(terminal, b" ")
            executor.spin_once(timeout_sec=0.03)
        released = time.monotonic()
        while said[-1][1]:
            assert time.monotonic() < end
            executor.spin_once(timeout_sec=0.01)
        assert said[-1][0] - released < 1.0  # 0.12 s on an idle machine
    finally:
        process.terminate()
        process.wait(20)
        os.close(terminal)
        os.close(inside)
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


class Planner(WmNode):
    """Reaches what lies on the near half of the table at once, misses the rest, and refuses what is off the table, which it calls
    the workbench."""

    def setup(self):
        self._events = self.publisher(GoalEvent, "wm/goal", 10)
        self.service(SetGoal, "wm/set_goal", self._on_goal)

    def _on_goal(self, request, response):
        place = request.goal.object_pose.pose.position
        if place.x > 1:
            raise ValueError("expected a goal on the table")
        if (frame := request.goal.object_pose.header.frame_id) not in ("", "workbench"):
            raise ValueError(f"expected a goal in frame 'workbench', got '{frame}'")
        near = place.x < 0.5
        self._events.publish(GoalEvent(event=GoalEvent.END, success=False, message="preempted"))  # the one before
        self._events.publish(
            GoalEvent(event=GoalEvent.END, goal=request.goal, success=near, message="reached" if near else "timeout")
        )
        response.success = True
        return response


class Guard(WmNode):
    def setup(self):
        for name in ("e_stop", "e_stop_reset", "start", "stop"):
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
        (["goal", "0.4", "-0.1", "--frame", "workbench"], 0, "pursuing (0.4, -0.1) m\nreached\n"),
        (["goal", "0.6", "0.1"], 1, "pursuing (0.6, 0.1) m\ntimeout\n"),
        (["start"], 0, "heard start\n"),
        (["start", "--undo"], 0, "heard stop\n"),
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
    assert main(["goal", "0.4", "0", "--frame", "map", "--namespace", "zoo"]) == 2
    assert capfd.readouterr().err.endswith("expected a goal in frame 'workbench', got 'map'\n")


def test_nobody_there_is_said_with_what_to_do(monkeypatch, capfd):
    monkeypatch.setattr(_running, "FOUND_S", 0.3)
    assert main(["stop", "--namespace", "nowhere"]) == 1
    assert "expected /nowhere/wm_guard, which offers wm/e_stop, it does not answer: start it" in capfd.readouterr().err
