"""An executor that costs less than rclpy's: a guard that looks at the arm 200 times a second would spend most of its time in that."""

import inspect
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.subscription import Subscription

SIMPLE = ("timer", "subscription")  # called here, in this order; the others are left to rclpy
REQUESTS = ("client", "service")  # many (a node has a dozen of its own) and rarely called
REQUESTS_NS = 10_000_000  # a node that wakes more often looks for these as often as that
FIELDS = ("subscription", "guard_condition", "timer", "client", "service", "event")  # sizes that a wait set asks for
NS = 1_000_000_000


class DirectExecutor(SingleThreadedExecutor):
    """Calls timers and subscriptions straight, and leaves services, clients, guard conditions, events and coroutines to rclpy.

    rclpy's makes a wait set for each wait, a task for each callback, and waits once more after each. The order is the same: timers,
    then subscriptions, as they were created, one message of each.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._wait_set: Any = None
        self._sizes: tuple[int, ...] = ()
        self._requests_ns = 0  # when requests were looked for

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait [s] (None: for ever) until something is ready, and call it; raises what a callback raises. It may return before.

        Raises ExternalShutdownException once the context is shut down.
        """
        if self._is_shutdown:
            return
        if not self._context.ok():
            raise ExternalShutdownException
        if self._tasks:
            with self._tasks_lock:
                self._tasks = [each for each in self._tasks if not each[0].done()]
                goes_on = bool(self._tasks)
            if goes_on:  # a coroutine
                super().spin_once(timeout_sec)
                return
        timers, subscriptions, others = self._wait(-1 if timeout_sec is None else round(timeout_sec * NS))
        for timer in timers:
            self._call_timer(timer)
        for subscription in subscriptions:
            self._call_subscription(subscription)
        if others:
            if self._cb_iter is not None:  # of an earlier wait, whose wait set is another by now
                self._cb_iter.close()
                self._cb_iter = None
            super().spin_once(0.0)

    def _wait(self, timeout_ns: int) -> tuple[list[Any], list[Any], bool]:
        """Timers and subscriptions that are ready, and whether anything else is."""
        nodes, left_ns = self.get_nodes(), self._requests_ns + REQUESTS_NS - time.monotonic_ns()
        if left_ns > 0:
            timeout_ns = min(timeout_ns, left_ns) if timeout_ns >= 0 else left_ns
        kinds = SIMPLE if left_ns > 0 else SIMPLE + REQUESTS
        waiting = {kind: self._executable(getattr(node, f"{kind}s") for node in nodes) for kind in kinds}
        guards = self._executable(node.guards for node in nodes)
        waiting["guard_condition"] = [*guards, self._guard, self._sigint_gc]
        waitables = self._executable(node.waitables for node in nodes)
        entered: list[Any] = []
        try:
            for kind, entities in waiting.items():
                waiting[kind] = [each for each in entities if _enter(each.handle, entered)]
            waitables = [each for each in waitables if _enter(each, entered)]
            wait_set = self._filled(waiting, waitables)
            wait_set.wait(timeout_ns)
            if left_ns <= 0:
                self._requests_ns = time.monotonic_ns()
            if not self._context.ok():
                raise ExternalShutdownException
            ready = {kind: set(wait_set.get_ready_entities(kind)) for kind in waiting}
            for guard in guards:  # which the wait has reset
                guard._executor_triggered |= guard.handle.pointer in ready["guard_condition"]
            others = any([each.is_ready(wait_set) for each in waitables])
            others |= any(ready[kind] for kind in ready if kind not in SIMPLE) or any(
                guard._executor_triggered for guard in guards
            )
            timers, subscriptions = (
                [each for each in waiting[kind] if each.handle.pointer in ready[kind]] for kind in SIMPLE
            )
            return timers, subscriptions, others
        finally:
            for each in entered:
                each.__exit__(None, None, None)

    def _executable(self, of_nodes: Iterable[Iterable[Any]]) -> list[Any]:
        return [each for entities in of_nodes for each in entities if self.can_execute(each)]

    def _filled(self, waiting: dict[str, list[Any]], waitables: list[Any]) -> Any:
        """The wait set with what is waited for; a new one where there is more or less than before."""
        sizes = Counter({kind: len(entities) for kind, entities in waiting.items()})
        for waitable in waitables:
            needed = waitable.get_num_entities()
            for kind in FIELDS:
                sizes[kind] += getattr(needed, f"num_{kind}s")
        now = tuple(sizes[kind] for kind in FIELDS)
        if now != self._sizes:
            self._wait_set, self._sizes = _rclpy.WaitSet(*now, self._context.handle), now
        self._wait_set.clear_entities()
        for kind, entities in waiting.items():
            add = getattr(self._wait_set, f"add_{kind}")
            for entity in entities:
                add(entity.handle)
        for waitable in waitables:
            waitable.add_to_wait_set(self._wait_set)
        return self._wait_set

    def _call_timer(self, timer: Any) -> None:
        try:
            with timer.handle:
                if not timer.handle.is_timer_ready():  # cancelled or destroyed by a callback before it
                    return
                timer.handle.call_timer()
        except InvalidHandle:
            return
        self._call(timer)

    def _call_subscription(self, subscription: Any) -> None:
        try:
            with subscription.handle:
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        except InvalidHandle:  # destroyed by a callback before it
            return
        if taken is None:
            return
        with_info = subscription._callback_type is Subscription.CallbackType.WithMessageInfo
        self._call(subscription, *(taken if with_info else taken[:1]))

    def _call(self, entity: Any, *arguments: Any) -> None:
        if not entity.callback_group.beginning_execution(entity):
            return
        try:
            result = entity.callback(*arguments)
            if inspect.iscoroutine(result):
                self.create_task(result)
        finally:
            entity.callback_group.ending_execution(entity)


def _enter(used: Any, entered: list[Any]) -> bool:
    """Nothing is destroyed while it is waited for. False for what is destroyed already."""
    try:
        used.__enter__()
    except InvalidHandle:
        return False
    entered.append(used)
    return True
