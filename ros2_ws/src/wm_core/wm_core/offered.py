"""A subscription that hears every publisher: reliable as long as all of them are, best effort as soon as one offers no more.

A reliable subscription stays deaf to publishers that offer best effort, as many drivers do for joint states, and says nothing. One of best
effort hears all, but may lose what a reliable publisher would have sent again.
"""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from wm_core.steady import steady_clock

LOOK_S = 0.5  # between two looks at who publishes


class OfferedSubscription:
    """Call `destroy` when it is no longer needed."""

    def __init__(self, node: Node, message: type, topic: str, callback: Callable[[Any], None], depth: int = 10) -> None:
        self._node, self._message, self._topic, self._callback = node, message, topic, callback
        self._depth = depth
        self.subscription: Any = None
        self.look()
        self._timer = node.create_timer(LOOK_S, self.look, clock=steady_clock())  # a simulated one may wait for us

    @property
    def reliable(self) -> bool:
        """Whether what is lost is sent again."""
        return self.subscription.qos_profile.reliability == ReliabilityPolicy.RELIABLE

    @property
    def topic_name(self) -> str:
        """In full."""
        return str(self.subscription.topic_name)

    def get_publisher_count(self) -> int:
        """How many publishers it is connected to."""
        return self.subscription.get_publisher_count()

    def look(self) -> None:
        """Subscribe as all present publishers allow; never back to reliable, while they come and go."""
        if self.subscription is not None and not self.reliable:
            return
        publishers = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(self._topic))
        reliable = all(each.qos_profile.reliability == ReliabilityPolicy.RELIABLE for each in publishers)
        if self.subscription is not None:
            if reliable:
                return
            self._node.destroy_subscription(self.subscription)
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=self._depth, reliability=reliability)
        self.subscription = self._node.create_subscription(self._message, self._topic, self._callback, qos)

    def destroy(self) -> bool:
        """Stop listening; True, as rclpy's own."""
        self._node.destroy_timer(self._timer)
        return bool(self._node.destroy_subscription(self.subscription))
