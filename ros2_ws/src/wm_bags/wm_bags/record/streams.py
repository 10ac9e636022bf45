"""Subscriptions that take messages as they are: found as they appear, with the QoS that their publishers offer."""

import difflib
import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from wm_bags.record.topics import LATCHED, SENSOR, Choice, Expected, hidden
from wm_bags.storage.definitions import Definition, definition_of
from wm_bags.storage.metadata import Topic
from wm_core.polled import OutsideExecutor

MIXED_S = 2.0  # after messages of several publishers in which gaps in the numbers say nothing
DEPTH = 1000  # messages of a topic that wait in the middleware at most: two seconds of joint states
Put = Callable[[Topic, bytes, int, int], None]  # topic, data, receive time, publish time [ns]


@dataclass
class _Stream:
    subscription: Subscription
    qos: QoSProfile
    topic: Topic
    publishers: int = 0
    sequence: int = 0  # number that the publisher gave to the newest message; 0: none yet
    mixed_at: float = -MIXED_S  # when there was more than one publisher [s]


class Streams:
    """Everything that a choice of topics holds. `lost`: messages that went missing on the way here.

    They are seen by gaps in the numbers that a publisher gives to its messages: of topics with one publisher.
    """

    def __init__(self, node: Node, choice: Choice, put: Put) -> None:
        self._node, self._choice, self._put = node, choice, put
        self._group = OutsideExecutor()
        self._streams: dict[str, _Stream] = {}
        self._warned: set[str] = set()  # topics that were warned of
        self.lost = 0

    def expect(self, expected: Iterable[Expected]) -> list[str]:
        """Listen to these topics at once, so that their first messages are taken too, unless they are excluded.

        Returns the full names of those that are needed.
        """
        named = {self._node.resolve_topic_name(each.name): each for each in expected}
        self._choice = replace(self._choice, names=self._choice.names | frozenset(named))
        for name, each in named.items():
            if name in self._choice and name not in self._streams:
                self._listen(Topic(name, definition_of(each.type)), _profile(each.kind != SENSOR, each.kind == LATCHED))
        return [name for name, each in named.items() if each.needed and name in self._choice]

    def why_silent(self, topic: str) -> str:
        """What is known about a topic that says nothing; for images, which others there are."""
        publishers = self._node.count_publishers(topic)
        if publishers:
            return f"{publishers} offered it, nothing came"
        stream = self._streams.get(topic)
        kind = stream.topic.definition.type if stream else ""
        others = [
            name
            for name, types in self._node.get_topic_names_and_types()
            if kind in types and name not in self._streams and not hidden(name) and self._node.count_publishers(name)
        ]
        alike = difflib.get_close_matches(topic, others, n=4, cutoff=0.0)  # those of similar names first
        return "nobody publishes it" + (f"; {', '.join(alike)} would be of its kind" if alike else "")

    def poll(self) -> None:
        """Take every message that has come."""
        for stream in self._streams.values():
            subscription = stream.subscription
            with subscription.handle:
                while (taken := subscription.handle.take_message(subscription.msg_type, True)) is not None:
                    self._take(stream, *taken)

    def discover(self) -> list[Topic]:
        """Listen to what has appeared, as its publishers offer it; returns what is new, or offered in another way."""
        changed = []
        for name, types in self._node.get_topic_names_and_types():
            if name not in self._choice:
                continue
            publishers = self._node.get_publishers_info_by_topic(name)
            offered = [publisher.qos_profile for publisher in publishers]
            stream = self._streams.get(name)
            described = [_described(profile) for profile in offered]
            if offered and (stream is None or stream.topic.offered_qos != described):
                definition = stream.topic.definition if stream else self._definition(name, types)
                topic = Topic(name, definition, described)
                if self._listen(topic, _compatible(offered), len(offered)):
                    changed.append(topic)
        return changed

    def unconnected(self) -> list[str]:
        """Topics some of whose publishers have not found their subscription yet."""
        return [
            name
            for name, stream in self._streams.items()
            if stream.subscription.get_publisher_count() < self._node.count_publishers(name)
        ]

    # -- inside --------------------------------------------------------------------------------------------------

    def _take(self, stream: _Stream, data: bytes, info: dict[str, Any]) -> None:
        if not stream.topic.offered_qos:  # a publisher that is quicker than `discover`
            stream.topic = Topic(stream.topic.name, stream.topic.definition, self._offered(stream.topic.name))
        sequence = info["publication_sequence_number"] or 0
        missing = sequence - stream.sequence - 1 if stream.sequence else 0
        if missing > 0 and stream.subscription.get_publisher_count() > 1:
            stream.mixed_at = time.monotonic()  # each publisher has a count of its own
        if missing > 0 and stream.publishers == 1 and time.monotonic() - stream.mixed_at > MIXED_S:
            self.lost += missing
        stream.sequence = sequence
        self._put(stream.topic, data, info["received_timestamp"] or time.time_ns(), info["source_timestamp"])

    def _offered(self, topic: str) -> list[dict[str, Any]]:
        return [_described(publisher.qos_profile) for publisher in self._node.get_publishers_info_by_topic(topic)]

    def _definition(self, name: str, types: list[str]) -> Definition:
        if len(types) > 1:
            self._warn(name, f"it has several types, {', '.join(types)}: recorded is {types[0]}")
        return definition_of(types[0])

    def _listen(self, topic: Topic, qos: QoSProfile, publishers: int = 0) -> bool:
        """Subscribe, or keep a subscription that fits; False when the type is not installed."""
        stream = self._streams.get(topic.name)
        if stream is None or (stream.qos.reliability, stream.qos.durability) != (qos.reliability, qos.durability):
            try:
                package, _, name = topic.definition.type.split("/")
                kind = getattr(importlib.import_module(f"{package}.msg"), name)
            except (ValueError, ImportError, AttributeError):
                self._warn(topic.name, f"it is not recorded: its type {topic.definition.type} is not installed here")
                return False
            if stream is not None:
                self._node.destroy_subscription(stream.subscription)
            subscription = self._node.create_subscription(
                kind, topic.name, lambda _: None, qos, raw=True, callback_group=self._group
            )
            stream = self._streams[topic.name] = _Stream(subscription, qos, topic)
        if publishers != stream.publishers:
            stream.publishers, stream.sequence = publishers, 0
        stream.topic = topic
        return True

    def _warn(self, topic: str, problem: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            self._node.get_logger().warning(f"{topic}: {problem}")


def _compatible(offered: list[QoSProfile]) -> QoSProfile:
    """The strictest profile that all these publishers fulfil, as rosbag2 chooses it."""
    return _profile(
        all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in offered),
        all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in offered),
    )


def _profile(reliable: bool, latched: bool) -> QoSProfile:
    return QoSProfile(
        depth=DEPTH,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _described(profile: QoSProfile) -> dict[str, Any]:
    """A profile as metadata.yaml has it."""

    def time_of(duration: Any) -> dict[str, int]:
        return dict(zip(("sec", "nsec"), divmod(duration.nanoseconds, 10**9), strict=True))

    return {
        "history": profile.history.name.lower(),
        "depth": profile.depth,
        "reliability": profile.reliability.name.lower(),
        "durability": profile.durability.name.lower(),
        "deadline": time_of(profile.deadline),
        "lifespan": time_of(profile.lifespan),
        "liveliness": profile.liveliness.name.lower(),
        "liveliness_lease_duration": time_of(profile.liveliness_lease_duration),
        "avoid_ros_namespace_conventions": profile.avoid_ros_namespace_conventions,
    }
