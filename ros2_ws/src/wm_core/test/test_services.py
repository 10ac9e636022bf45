"""Asking services of nodes that have just appeared."""

import time

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger

from wm_core.services import ask

pytestmark = pytest.mark.ros


@pytest.fixture
def pair(ros):
    """A node that asks, one that may answer, and what serves both."""
    executor = SingleThreadedExecutor()
    nodes = [rclpy.create_node(name) for name in ("asking", "answering")]
    for node in nodes:
        executor.add_node(node)
    yield *nodes, lambda seconds: executor.spin_once(timeout_sec=seconds)
    for node in nodes:
        node.destroy_node()


def test_a_service_that_appears_meanwhile_is_asked(pair):
    asking, answering, spin = pair
    client, began = asking.create_client(Trigger, "late"), time.monotonic()

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = "here"
        return response

    def late(seconds: float) -> None:
        if time.monotonic() - began > 0.5 and not offered:
            offered.append(answering.create_service(Trigger, "late", answer))
        spin(seconds)

    offered: list[object] = []
    found = ask(client, Trigger.Request(), late, 10.0)
    assert found is not None and found.message == "here"


def test_a_request_is_sent_again_where_no_answer_comes(pair):
    asking, answering, spin = pair
    served = answering.create_service(Trigger, "deaf", lambda request, response: response)
    sent = []

    class Client:
        """Of a service that does not hear the first request."""

        service_is_ready, remove_pending_request = lambda self: True, lambda self, future: None

        def call_async(self, request):
            sent.append(request)
            return rclpy.task.Future() if len(sent) == 1 else real.call_async(request)

    real = asking.create_client(Trigger, served.srv_name)
    while not real.service_is_ready():
        spin(0.05)
    assert ask(Client(), Trigger.Request(), spin, 10.0) is not None
    assert len(sent) >= 2


def test_without_a_service_none_comes(pair):
    asking, _, spin = pair
    assert ask(asking.create_client(Trigger, "nobody"), Trigger.Request(), spin, 0.3) is None
