"""What clients share: an emergency stop is a pause, so is the restart of a node, and an end that the user asks for is no failure."""

import os
import signal
import time

import pytest
import rclpy
from rclpy.task import Future
from std_msgs.msg import Bool, String
from wm_msgs.msg import GuardState

import wm_tasks.client as wm_client
from wm_core.qos import LATCHED
from wm_tasks.client import Client, ClientError, run_client

pytestmark = pytest.mark.ros


class Waiter(Client):
    NAME = "waiter"


@pytest.fixture
def client():
    rclpy.init()
    client = Waiter()
    client.stops = client.create_publisher(Bool, "wm/e_stopped", LATCHED)
    yield client
    client.destroy_node()
    rclpy.shutdown()


def stop(client, is_set):
    client.stops.publish(Bool(data=is_set))
    client.wait(lambda: client.e_stopped == is_set, 10.0, "its own message")


def test_the_time_of_an_emergency_stop_does_not_count(client):
    stop(client, True)
    began = time.monotonic()
    client.create_timer(0.8, lambda: client.stops.publish(Bool(data=False)))
    client.wait_for_reset()
    assert time.monotonic() - began > 0.7 and not client.e_stopped
    stop(client, True)
    began = time.monotonic()
    with pytest.raises(ClientError, match="something"):
        client.wait(lambda: False, 0.3, "something")
    assert time.monotonic() - began > 0.6


def test_without_a_stop_waiting_ends_in_time(client):
    began = time.monotonic()
    client.wait_for_reset()
    with pytest.raises(ClientError, match="something"):
        client.wait(lambda: False, 0.3, "something")
    assert 0.3 <= time.monotonic() - began < 5.0


def test_a_client_waits_until_a_person_starts_the_arm(client):
    guard = client.create_publisher(GuardState, "wm/guard_state", LATCHED)
    guard.publish(GuardState(reasons=["not_started", "not_enabled"]))
    client.create_timer(0.8, lambda: guard.publish(GuardState(reasons=["not_enabled"])))
    began = time.monotonic()
    client.wait_for_start()
    assert time.monotonic() - began > 0.7
    client.wait_for_start()  # at once


def test_a_client_pauses_while_the_guard_waits_for_a_person(client, capfd):
    guard = client.create_publisher(GuardState, "wm/guard_state", LATCHED)
    guard.publish(GuardState(state=GuardState.STOPPED, reasons=["contact"], text="something touched the arm"))
    client.create_timer(0.8, lambda: guard.publish(GuardState(state=GuardState.HOLDING, reasons=["no_command"])))
    client.wait(lambda: client.latched, 10.0, "its own message")
    began = time.monotonic()
    client.wait_for_reset()
    assert time.monotonic() - began > 0.7 and not client.latched
    assert "the guard has stopped the arm: something touched the arm; paused; call wm/clear" in capfd.readouterr().err


@pytest.fixture
def signals():
    """A client leaves stop signals ignored, for its process ends."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield list(before)
    for number, handler in before.items():
        signal.signal(number, handler)


class Endless(Client):
    NAME = "endless"

    def run(self):
        os.kill(os.getpid(), signal.SIGINT)
        self.wait(lambda: False, 10.0, "nothing")

    def conclude(self):
        self.get_logger().info("concluded")


class Failing(Endless):
    def run(self):
        raise ClientError("this cannot be done")


def test_a_client_that_is_interrupted_ends_with_status_0_and_one_that_fails_with_1(signals, capfd):
    assert run_client(Endless) == 0
    assert "concluded" in capfd.readouterr().err
    assert run_client(Failing) == 1
    assert "this cannot be done" in capfd.readouterr().err


def test_the_restart_of_a_node_is_a_pause_too(client):
    bringup = client.create_publisher(String, "wm/bringup", LATCHED)

    def say(status):
        bringup.publish(String(data=status))

    say("active")
    client.wait_for_bringup()
    assert not client.paused and client.recoveries == 0
    say("recovering: wm_planner")
    client.wait(lambda: client.paused, 10.0, "its own message")
    began = time.monotonic()
    client.create_timer(0.8, lambda: say("active"))
    client.wait_for_recovery()
    assert time.monotonic() - began > 0.7 and not client.paused and client.recoveries == 1


def test_a_question_that_was_lost_is_asked_again(client, monkeypatch):
    monkeypatch.setattr(wm_client, "ANSWER_S", 0.4)
    asked = []

    def ask():
        asked.append(Future())
        if len(asked) == 3:
            asked[-1].set_result("here")
        return asked[-1]

    assert client._ask(ask, "something") == "here"
    with pytest.raises(ClientError, match="waited 0 s for something"):
        client._ask(Future, "something")
