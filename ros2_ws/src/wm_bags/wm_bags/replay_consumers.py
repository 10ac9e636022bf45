"""Whether those who listen keep up, so that a replay without pauses loses nothing.

An acknowledgement would say that a message lies in a subscriber's queue, not that the subscriber has taken it out: in a
queue of five the sixth message replaces the first. (Fast DDS acknowledges small messages only every 3 s besides.) So each
consumer is asked for something that every ROS node answers, its parameters. A request reaches a process behind the
messages that were sent to it before, and the executors of rclpy and rclcpp serve subscriptions before services: who
answers has taken what lay in its queues, one message a topic. (A node with several threads may answer early.)
"""

from collections.abc import Callable, Iterable

from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher

REFRESH_S = 1.0


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
        self._refreshed_ns = -(10**18)

    def keep_up(self) -> None:
        """Return when everything that was published was taken; also when the replay is to stop."""
        self._refresh()
        asked = {name: client.call_async(GetParameters.Request()) for name, client in self._clients.items()}
        while asked and not self._stopped():
            self._executor.spin_once(timeout_sec=0.1)
            asked = {name: future for name, future in asked.items() if not future.done()}
            self._refresh()
            asked = {name: future for name, future in asked.items() if name in self._clients}

    def close(self) -> None:
        self._executor.shutdown()

    @property
    def answering(self) -> list[str]:
        """Names of the nodes that are asked."""
        return sorted(self._clients)

    def _refresh(self) -> None:
        """Who listens now; who has gone is not waited for."""
        now_ns = self._node.get_clock().now().nanoseconds
        if now_ns - self._refreshed_ns < REFRESH_S * 1e9:
            return
        self._refreshed_ns = now_ns
        found = {
            f"{info.node_namespace.rstrip('/')}/{info.node_name}"
            for topic in self._topics
            for info in self._node.get_subscriptions_info_by_topic(topic)
        }
        for name in found - self._clients.keys():
            self._clients[name] = self._node.create_client(GetParameters, f"{name}/get_parameters")
        for name, client in list(self._clients.items()):
            if not client.service_is_ready():
                self._node.destroy_client(self._clients.pop(name))
                self.mute |= {name} & found
            else:
                self.mute.discard(name)
