"""A subscription that is read when its node wants to, not whenever a message comes: for topics that are faster than the node needs.

rclpy builds its wait set anew for every message that wakes it, which costs more than most callbacks.
"""

from typing import Any

from rclpy.callback_groups import CallbackGroup

from wm_core.offered import OfferedSubscription


class OutsideExecutor(CallbackGroup):
    """No executor waits for what is in it: half the cost, for who takes its messages."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing to do: nothing begins."""


class Polled:
    """Takes a subscription away from its node's executor.

    It must have no event callbacks, such as that for a mismatch of QoS: rmw_fastrtps would wake the node by them for each message.
    """

    def __init__(self, offered: OfferedSubscription, raw: bool = False) -> None:
        """`raw`: messages come as bytes, for who only wants to know that they come."""
        self._offered, self._group, self._raw = offered, OutsideExecutor(), raw
        self._subscription()

    def call_back(self) -> None:
        """Give each message that has come to the subscription's callback, in order."""
        while (message := self._take()) is not None:
            self._subscription().callback(message)

    def discard(self) -> None:
        """Forget what has come."""
        while self._take() is not None:
            pass

    def _take(self) -> Any | None:
        subscription = self._subscription()
        with subscription.handle:  # not destroyed meanwhile
            taken = subscription.handle.take_message(subscription.msg_type, self._raw)
        return None if taken is None else taken[0]

    def _subscription(self) -> Any:
        """The present one: who offers less than before gets another."""
        subscription = self._offered.subscription
        subscription.callback_group = self._group
        return subscription
