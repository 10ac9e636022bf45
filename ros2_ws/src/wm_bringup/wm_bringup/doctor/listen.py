"""Listens to what wm reads for some seconds, and looks at who publishes and subscribes: fills the record that the checks read."""

import importlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from wm_bringup.doctor.observed import (
    CONTROLLER_STATE,
    IMAGE,
    INTERPOLATES,
    JOINTS,
    Endpoint,
    Heard,
    Observed,
    Setup,
    Stream,
)
from wm_bringup.doctor.this_machine import this_machine
from wm_core.stamps import to_ns

KEEP_NS = 1_000_000_000  # between two images that are kept
MOST_KEPT = 12
DIGEST_STEP = 97  # bytes between those that are compared
SPIN_S = 0.05
ASK_AGAIN_NS = 1_000_000_000
DRAIN_NS = 500_000_000  # for what has come in time and waits to be taken
# Best effort hears every driver's offer; deep, since large images come in bursts.
ALL = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)


class Listener:
    """Subscribes at once; `listen` serves the node."""

    def __init__(self, node: Node, setup: Setup) -> None:
        """`setup`: with topics in full."""
        self._node, self._setup = node, setup
        self._streams: dict[str, Stream] = {}
        beside = {setup.controller_state_topic: CONTROLLER_STATE, setup.placed_topic: JOINTS}
        for topic, kind in {**setup.types, **beside}.items():
            message = _message(kind)
            if message is not None:
                self._streams[topic] = Stream(topic, kind)
                node.create_subscription(message, topic, self._taker(self._streams[topic]), ALL)
        self._parameters = node.create_client(GetParameters, f"{setup.controller_node}/get_parameters")

    def listen(self, spin: Callable[[float], object], seconds: float) -> Observed:
        """What comes in the next `seconds`; `spin(s)` serves the node."""
        begin = time.time_ns()
        end = begin + round(1e9 * seconds)
        answer, asked_ns = None, 0
        while time.time_ns() < end + DRAIN_NS:
            spin(SPIN_S)
            if answer is not None and answer.done():
                continue
            late = time.time_ns() - asked_ns > ASK_AGAIN_NS  # the first question may get lost
            if late and self._parameters.service_is_ready():
                answer = self._parameters.call_async(GetParameters.Request(names=[INTERPOLATES]))
                asked_ns = time.time_ns()
        for stream in self._streams.values():
            _cut(stream, end)
        known = {}
        values = answer.result().values if answer is not None and answer.done() else []
        if values and values[0].type == ParameterType.PARAMETER_BOOL:  # it knows the parameter
            known[INTERPOLATES] = values[0].bool_value
        return Observed(self._setup, begin, end, self._streams, self._endpoints(), this_machine(), known)

    def _taker(self, stream: Stream) -> Any:
        """A callback of message and message info, which rclpy's types do not know."""
        kept_ns = 0

        def take(message: Any, info: Any) -> None:
            nonlocal kept_ns
            stamp = to_ns(message.header.stamp)
            arrival = int(info["received_timestamp"]) or time.time_ns()
            digest = hash(bytes(memoryview(message.data)[::DIGEST_STEP])) if stream.type == IMAGE else 0
            stream.heard.append(Heard(arrival, stamp, digest))
            if stream.type == JOINTS:
                stream.kept.append((stamp, message))
            elif arrival - kept_ns >= KEEP_NS:
                kept_ns = arrival
                stream.kept.append((stamp, message))
                del stream.kept[:-MOST_KEPT]

        return take

    def _endpoints(self) -> list[Endpoint]:
        """Of all nodes but this one."""
        found = []
        me = (self._node.get_namespace(), self._node.get_name())
        for topic, _ in self._node.get_topic_names_and_types():
            for each in (
                *self._node.get_publishers_info_by_topic(topic),
                *self._node.get_subscriptions_info_by_topic(topic),
            ):
                if (each.node_namespace, each.node_name) == me:
                    continue
                found.append(
                    Endpoint(
                        topic,
                        each.topic_type,
                        f"{each.node_namespace.rstrip('/')}/{each.node_name}",
                        each.endpoint_type.name == "PUBLISHER",
                        each.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
                        each.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
                    )
                )
        return found


class Simulated(NamedTuple):
    """Whether `time` is simulated here, and whether the `arm` is: a simulator in real time, or a stand-in, has no driver."""

    time: bool
    arm: bool


def simulated(node: Node, spin: Callable[[float], object], seconds: float = 1.0) -> Simulated:
    """What publishers say of it; waits until nodes have found each other."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        spin(SPIN_S)
    time_too = bool(node.count_publishers("/clock") or node.count_publishers("clock"))
    return Simulated(time_too, time_too or bool(node.count_publishers("arm_placed")))


def _cut(stream: Stream, end_ns: int) -> None:
    """Nothing that came later."""
    heard = [each for each in stream.heard if each.arrival_ns <= end_ns]
    if len(stream.kept) == len(stream.heard):
        stream.kept = stream.kept[: len(heard)]
    stream.heard = heard


def _message(kind: str) -> Any:
    """The class of a type such as sensor_msgs/msg/Image; None where its package is not installed."""
    package, _, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        return None
