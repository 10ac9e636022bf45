"""What the verbs share that speak to a wm that runs: its namespace, and questions to its nodes."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FOUND_S = 5.0  # until a node answers
ANSWER_S = 5.0


def add_namespace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", default="", metavar="NS", help="of the launch, if it has one")


class Speaker:
    """Calls services of a running wm; see `speaker`."""

    def __init__(self, node: Any, executor: Any) -> None:
        self.node, self._executor = node, executor

    def spin(self, seconds: float) -> None:
        self._executor.spin_once(timeout_sec=seconds)

    def call(self, kind: type, service: str, owner: str, request: Any) -> Any:
        """The answer of a service that the lifecycle node `owner` offers; raises ValueError when it does not answer or refuses.

        The request may come twice.
        """
        from lifecycle_msgs.srv import GetState

        from wm_core.services import ask, await_answers

        client = self.node.create_client(kind, service)
        if not await_answers(self.node.create_client(GetState, f"{owner}/get_state"), self.spin, FOUND_S):
            where = self.node.get_namespace().rstrip("/")
            domain = os.environ.get("ROS_DOMAIN_ID", "0")
            raise ValueError(
                f"expected {where}/{owner}, which offers {service}, it does not answer: start it with ./wm launch arm_sim.launch.py,"
                f" or give its --namespace; ROS_DOMAIN_ID is {domain}"
            )
        answer = ask(client, request, self.spin, ANSWER_S)
        if answer is None:
            raise ValueError(f"{service}: expected an answer, none came for {ANSWER_S:g} s")
        if not answer.success:
            raise ValueError(f"{service}: {answer.message}")
        return answer


@contextmanager
def speaker(namespace: str) -> Iterator[Speaker]:
    """A node beside those of the launch in this namespace."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    rclpy.init(args=[], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    node = Node(f"wm_cli_{os.getpid()}", namespace=namespace.strip("/"))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        yield Speaker(node, executor)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def trigger(options: argparse.Namespace, service: str) -> int:
    """Call a service of the guard's without arguments and print what it answers."""
    from std_srvs.srv import Trigger

    with speaker(options.namespace) as wm:
        print(wm.call(Trigger, service, "wm_guard", Trigger.Request()).message)
    return 0
