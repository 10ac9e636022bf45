"""An executor that costs less than rclpy's: a guard that looks at the arm 200 times a second would spend most of its time in that."""

import inspect
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.subscription import Subscription

from wm_core.stamps import NS_PER_S

FREQUENT = ("timer", "subscription", "guard_condition")
REQUESTS = ("client", "service")  # many (a node has a dozen of its own) and rarely called
REQUESTS_NS = 10_000_000  # a node that wakes more often looks for these as often as that
FIELDS = ("subscription", "guard_condition", "timer", "client", "service", "event")  # sizes that a wait set asks for
COROUTINES_S = 0.01  # between two looks at a coroutine that waits
PLURAL = {
    "waitable": "waitables",
    "timer": "timers",
    "subscription": "subscriptions",
    "guard_condition": "guards",
    "client": "clients",
    "service": "services",
}


class DirectExecutor(SingleThreadedExecutor):
    """Calls timers and subscriptions straight, and the rest by rclpy's handlers.

    rclpy's makes a wait set for each wait, a task for each callback, and waits once more after each. The order is the same: events,
    timers, subscriptions, guard conditions, clients, services, as they were created, one message of each.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._wait_set: Any = None
        self._sizes: tuple[int, ...] = ()
        self._requests_ns = 0  # when requests were looked for
        self._takes = {
            "guard_condition": self._take_guard_condition,
            "client": self._take_client,
            "service": self._take_service,
            "waitable": self._take_waitable,
        }

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait [s] (None: for ever) until something is ready, and call all that is; raises what a callback raises. It may return
        before.

        Raises ExternalShutdownException once the context is shut down.
        """
        if self._is_shutdown:
            return
        if not self._context.ok():
            raise ExternalShutdownException
        if self._go_on():
            timeout_sec = COROUTINES_S if timeout_sec is None else min(timeout_sec, COROUTINES_S)
        for kind, entity, node in self._ready(-1 if timeout_sec is None else round(timeout_sec * NS_PER_S)):
            if kind == "timer":
                self._call_timer(entity)
            elif kind == "subscription":
                self._call_subscription(entity)
            else:
                self._run(self._make_handler(entity, node, self._takes[kind]))

    def _go_on(self) -> bool:
        """Let coroutines go on that have begun or wait for their turn; whether some still do."""
        if not self._tasks:
            return False
        for task, _, _ in list(self._tasks):
            if not task.done():
                self._run(task)
        with self._tasks_lock:
            self._tasks = [each for each in self._tasks if not each[0].done() and not each[0].cancelled()]
            return bool(self._tasks)

    @staticmethod
    def _run(task: Any) -> None:
        task()
        if task.done() and task.exception() is not None:
            raise task.exception()

    def _ready(self, timeout_ns: int) -> list[tuple[str, Any, Any]]:
        """What is ready, with its kind and its node, in the order in which it is called."""
        left_ns = self._requests_ns + REQUESTS_NS - time.monotonic_ns()
        if left_ns > 0:
            timeout_ns = min(timeout_ns, left_ns) if timeout_ns >= 0 else left_ns
        kinds = FREQUENT if left_ns > 0 else FREQUENT + REQUESTS
        entered: list[Any] = []
        try:
            waiting: dict[str, list[tuple[Any, Any]]] = {kind: [] for kind in ("waitable", *kinds)}
            for node in self.get_nodes():
                for kind, entities in waiting.items():
                    for each in getattr(node, PLURAL[kind]):
                        if self.can_execute(each) and _enter(each if kind == "waitable" else each.handle, entered):
                            entities.append((each, node))
            own = [each for each in (self._guard, self._sigint_gc) if each and _enter(each.handle, entered)]
            wait_set = self._filled(waiting, own)
            if any(each._executor_triggered for each, _ in waiting["guard_condition"]):
                timeout_ns = 0  # its turn did not come: a callback before it raised
            wait_set.wait(timeout_ns)
            if left_ns <= 0:
                self._requests_ns = time.monotonic_ns()
            if not self._context.ok():
                raise ExternalShutdownException
            ready = [("waitable", each, node) for each, node in waiting["waitable"] if each.is_ready(wait_set)]
            for kind in kinds:
                pointers = set(wait_set.get_ready_entities(kind))
                for each, node in waiting[kind]:
                    found = each.handle.pointer in pointers
                    if kind == "guard_condition":  # which the wait has reset
                        found = each._executor_triggered = each._executor_triggered or found
                    if found:
                        ready.append((kind, each, node))
            return ready
        finally:
            for each in entered:
                each.__exit__(None, None, None)

    def _filled(self, waiting: dict[str, list[tuple[Any, Any]]], own: list[Any]) -> Any:
        """The wait set with what is waited for, and with guard conditions of its `own`; a new one where there is more or less than
        before.
        """
        sizes = Counter({kind: len(entities) for kind, entities in waiting.items()})
        sizes["guard_condition"] += len(own)
        for waitable, _ in waiting["waitable"]:
            needed = waitable.get_num_entities()
            for kind in FIELDS:
                sizes[kind] += getattr(needed, f"num_{kind}s")
        now = tuple(sizes[kind] for kind in FIELDS)
        if now != self._sizes:
            self._wait_set, self._sizes = _rclpy.WaitSet(*now, self._context.handle), now
        self._wait_set.clear_entities()
        for each in own:
            self._wait_set.add_guard_condition(each.handle)
        for kind, entities in waiting.items():
            if kind != "waitable":
                add = getattr(self._wait_set, f"add_{kind}")
                for each, _ in entities:
                    add(each.handle)
        for waitable, _ in waiting["waitable"]:
            waitable.add_to_wait_set(self._wait_set)
        return self._wait_set

    def _call_timer(self, timer: Any) -> None:
        def take() -> tuple[Any, ...] | None:
            if not timer.handle.is_timer_ready():  # cancelled by a callback before it
                return None
            timer.handle.call_timer()
            return ()

        self._call(timer, take)

    def _call_subscription(self, subscription: Any) -> None:
        def take() -> tuple[Any, ...] | None:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            with_info = subscription._callback_type is Subscription.CallbackType.WithMessageInfo
            return taken if taken is None or with_info else taken[:1]

        self._call(subscription, take)

    def _call(self, entity: Any, take: Callable[[], tuple[Any, ...] | None]) -> None:
        """`take` gives what its callback is called with; None: it is not."""
        if not entity.callback_group.beginning_execution(entity):
            return  # of a group with a coroutine that goes on
        try:
            arguments = None
            with suppress(InvalidHandle), entity.handle:  # destroyed by a callback before it
                arguments = take()
            if arguments is not None:
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
