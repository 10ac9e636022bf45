"""Publishers and subscriptions that can be cut off from everybody, as by a partition or a wrong quality of service."""

from collections.abc import Callable
from typing import Any

from rclpy.qos import QoSProfile

from wm_core.lifecycle import WmNode
from wm_core.qos import LATCHED


class Outgoing:
    """A publisher. Cut off, its endpoint is gone."""

    def __init__(self, node: WmNode, message: type, topic: str, qos: QoSProfile) -> None:
        self._node, self._message, self._topic, self._qos = node, message, topic, qos
        self._is_cut = False
        self._publisher: Any = node.publisher(message, topic, qos)

    def cut(self, wanted: bool) -> None:
        """Cut it off, or join it again; nothing where it is so already."""
        if wanted == self._is_cut:
            return
        self._is_cut = wanted
        if wanted:
            self._node.destroy_publisher(self._publisher)
        self._publisher = None if wanted else self._node.publisher(self._message, self._topic, self._qos)

    def publish(self, message: Any) -> None:
        if self._publisher is not None:
            self._publisher.publish(message)


class Incoming:
    """A subscription. Cut off, it wants what publishers of its topic do not offer: messages from before it was there."""

    def __init__(
        self, node: WmNode, message: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile
    ) -> None:
        self._node, self._arguments, self._qos = node, (message, topic, callback), qos
        self._is_cut = False
        self._subscription = node.subscribe(*self._arguments, qos)

    def cut(self, wanted: bool) -> None:
        """Cut it off, or join it again; nothing where it is so already."""
        if wanted == self._is_cut:
            return
        self._is_cut = wanted
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._node.subscribe(*self._arguments, LATCHED if wanted else self._qos)
