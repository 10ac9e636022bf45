"""The executor of wm's nodes: it calls what rclpy's would call, in the same order."""

import threading
import time

import pytest
import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException
from rclpy.task import Future
from std_msgs.msg import Int32
from std_srvs.srv import Trigger

from wm_core.direct_executor import DirectExecutor
from wm_core.qos import LATCHED, STATE

pytestmark = pytest.mark.usefixtures("ros")


@pytest.fixture
def node(ros):
    node = rclpy.create_node("called")
    yield node
    node.destroy_node()


@pytest.fixture
def executor(node):
    executor = DirectExecutor()
    executor.add_node(node)
    yield executor
    executor.shutdown()


def spin_until(executor, done, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "nothing was called"
        executor.spin_once(0.1)


def test_messages_come_in_order_and_with_their_numbers_where_asked_for(node, executor):
    heard, numbered = [], []
    node.create_subscription(Int32, "number", lambda m: heard.append(m.data), STATE)
    node.create_subscription(
        Int32, "number", lambda m, info: numbered.append(info["publication_sequence_number"]), STATE
    )
    publisher = node.create_publisher(Int32, "number", STATE)
    spin_until(executor, lambda: publisher.get_subscription_count() == 2)
    for number in range(5):
        publisher.publish(Int32(data=number))
    spin_until(executor, lambda: len(heard) == len(numbered) == 5)
    assert heard == [0, 1, 2, 3, 4] and numbered == list(range(numbered[0], numbered[0] + 5))


def test_a_timer_comes_before_a_message_as_rclpy_has_it(node, executor):
    called = []
    node.create_subscription(Int32, "number", lambda _: called.append("message"), LATCHED)
    node.create_timer(0.01, lambda: called.append("timer"))
    publisher = node.create_publisher(Int32, "number", LATCHED)
    spin_until(executor, lambda: publisher.get_subscription_count() == 1)
    publisher.publish(Int32())
    time.sleep(0.2)
    called.clear()
    executor.spin_once(0.1)
    assert called == ["timer", "message"]


def test_a_timer_that_is_cancelled_by_another_is_not_called(node, executor):
    called = []
    first = node.create_timer(0.01, lambda: (called.append("first"), second.cancel()))
    second = node.create_timer(0.01, lambda: called.append("second"))
    time.sleep(0.05)
    spin_until(executor, lambda: called)
    assert called == ["first"] and not first.is_canceled()


def test_a_subscription_that_is_destroyed_by_a_callback_is_not_called(node, executor):
    called = []
    node.create_timer(0.2, lambda: node.destroy_subscription(subscription))
    subscription = node.create_subscription(Int32, "number", called.append, LATCHED)
    publisher = node.create_publisher(Int32, "number", LATCHED)
    publisher.publish(Int32())
    time.sleep(0.5)
    executor.spin_once(0.1)
    executor.spin_once(0.1)
    assert called == []


def test_services_and_clients_are_served_beside_a_timer_of_200_hz(node, executor):
    looks = []
    node.create_timer(0.005, lambda: looks.append(time.monotonic()))
    node.create_service(Trigger, "stop", lambda _, response: Trigger.Response(success=True, message="stopped"))
    client = node.create_client(Trigger, "stop")
    spin_until(executor, client.service_is_ready)
    future = client.call_async(Trigger.Request())
    spin_until(executor, future.done)
    assert future.result().message == "stopped" and len(looks) > 1


def test_a_service_is_answered_by_a_node_that_has_more_to_do_than_time(node, executor):
    """As a simulator on a busy computer: its timer is ready again before it has been called."""
    node.create_timer(0.001, lambda: time.sleep(0.005))
    node.create_service(Trigger, "stop", lambda _, response: Trigger.Response(success=True))
    client = node.create_client(Trigger, "stop")
    spin_until(executor, client.service_is_ready)
    futures = [client.call_async(Trigger.Request()) for _ in range(3)]
    began = time.monotonic()
    spin_until(executor, lambda: all(future.done() for future in futures))
    assert time.monotonic() - began < 1.0


def test_a_nodes_own_guard_condition_is_called_also_when_a_callback_before_it_raised(node, executor):
    called = []

    def fail() -> None:
        timer.cancel()
        raise ValueError("broken")

    timer = node.create_timer(0.01, fail)
    guard = node.create_guard_condition(lambda: called.append("guard"))
    time.sleep(0.05)
    guard.trigger()
    with pytest.raises(ValueError, match="broken"):
        executor.spin_once(0.1)
    spin_until(executor, lambda: called)
    executor.spin_once(0.02)
    assert called == ["guard"]


def test_an_executor_that_was_shut_down_does_nothing(node, executor):
    executor.shutdown()
    executor.spin_once(0.01)


def test_a_service_may_await_what_another_thread_completes(node, executor):
    awaited, heard = Future(executor=executor), []

    async def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = await awaited
        return response

    node.create_service(Trigger, "wait", answer, callback_group=ReentrantCallbackGroup())
    node.create_subscription(Int32, "number", lambda m: heard.append(m.data), STATE)
    publisher, client = node.create_publisher(Int32, "number", STATE), node.create_client(Trigger, "wait")
    spin_until(executor, lambda: client.service_is_ready() and publisher.get_subscription_count() == 1)
    future = client.call_async(Trigger.Request())
    for _ in range(20):
        executor.spin_once(0.01)
    publisher.publish(Int32(data=7))
    spin_until(executor, lambda: heard)  # everything else goes on
    threading.Thread(target=awaited.set_result, args=("done",)).start()
    spin_until(executor, future.done)
    assert future.result().message == "done"


def test_what_a_callback_raises_is_raised(node, executor):
    def fail() -> None:
        raise ValueError("broken")

    node.create_timer(0.01, fail)
    with pytest.raises(ValueError, match="broken"):
        spin_until(executor, lambda: False)


def test_it_waits_no_longer_than_asked(executor):
    began = time.monotonic()
    for _ in range(3):
        executor.spin_once(0.05)
    assert 0.05 <= time.monotonic() - began < 5.0


def test_the_end_of_the_context_ends_a_wait(node, executor):
    node.create_timer(0.05, rclpy.shutdown)
    with pytest.raises(ExternalShutdownException):
        spin_until(executor, lambda: False)
