"""Whether those who listen keep up, so that a replay without pauses loses nothing.

An acknowledgement would say that a message lies in a subscriber's queue, not that the subscriber has taken it out: in a
queue of five the sixth message replaces the first. (Fast DDS acknowledges small messages only every 3 s besides.) So each
consumer is asked for something that every ROS node answers, its parameters. A request reaches a process behind the
messages that were sent to it before, and the executors of rclpy and rclcpp serve subscriptions before services: who
answers has taken what lay in its queues, one message a topic. (On a busy machine a request may overtake the last message of a
topic, so a queue of one may lose it, a queue of two not. A node with several threads may answer early.)
"""

import time
from collections.abc import Callable, Iterable

from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future

REFRESH_S = 1.0
APPEAR_S = 3.0  # until a subscriber that was found answers: the discovery of its services may take longer
ASK_AGAIN_S = 1.0
UNKNOWN = "_NODE_NAME_UNKNOWN_"  # rmw's name of a node that has not been discovered yet


class Consumers:
    """The nodes that subscribe to what is replayed."""

    def __init__(self, node: Node, publishers: Iterable[Publisher], stopped: Callable[[], bool]) -> None:
        self._node = node
        self._topics = [publisher.topic_name for publisher in publishers]
        self._stopped = stopped
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._clients: dict[str, Client] = {}
        self.mute: set[str] = set()  # nodes that answer nothing: for them only delivery is known
        self._refresh_at = 0.0
        self.refresh()

    def keep_up(self) -> None:
        """Return when everything that was published was taken; also when the replay is to stop."""
        self.refresh()
        waiting = set(self._clients)
        asked: dict[str, tuple[float, Future]] = {}
        while waiting and not self._stopped():
            now = time.monotonic()
            for name in waiting:
                if name not in asked or now - asked[name][0] > ASK_AGAIN_S:  # see wm_core.services
                    asked[name] = now, self._clients[name].call_async(GetParameters.Request())
            self._executor.spin_once(timeout_sec=0.1)
            self.refresh()
            waiting = {name for name in waiting if name in self._clients and not asked[name][1].done()}

    def close(self) -> None:
        self._executor.shutdown()

    @property
    def answering(self) -> list[str]:
        """Names of the nodes that are asked."""
        return sorted(self._clients)

    def refresh(self) -> None:
        """Who listens now, once a second: new ones are given time to show that they answer, who has gone is not waited for."""
        if time.monotonic() < self._refresh_at:
            return
        found = self._listening()
        new = {
            name: self._node.create_client(GetParameters, f"{name}/get_parameters")
            for name in found - self._clients.keys() - self.mute
        }
        deadline = time.monotonic() + APPEAR_S
        while time.monotonic() < deadline and not self._stopped():
            if all(client.service_is_ready() for client in new.values()):
                break
            time.sleep(0.02)
        self._clients |= new
        for name, client in list(self._clients.items()):
            if not client.service_is_ready():
                self._node.destroy_client(self._clients.pop(name))
                self.mute |= {name} & found
        self._refresh_at = time.monotonic() + REFRESH_S

    def _listening(self) -> set[str]:
        """Full names of the nodes that subscribe; waits for the name of one that is just appearing."""
        deadline = time.monotonic() + APPEAR_S
        while True:
            infos = [info for topic in self._topics for info in self._node.get_subscriptions_info_by_topic(topic)]
            names = {f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos}
            unknown = {name for name in names if UNKNOWN in name}
            if not unknown or self._stopped() or time.monotonic() > deadline:
                return names - unknown
            time.sleep(0.02)
