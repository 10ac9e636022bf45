"""Publishes a recording: with its own timing, faster or slower, or as fast as the consumers keep up.

Messages are published as the bytes that were recorded. Times are those of recording, as in `ros2 bag play`.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock

from wm_bags.replay.consumers import Consumers
from wm_bags.replay.options import Pace, ReplayError, ReplayOptions
from wm_bags.replay.source import Source, ahead, message_class, open_bag, publisher_qos
from wm_core.bags import typestore
from wm_core.qos import STATE
from wm_core.stamps import to_msg

CLOCK = "/clock"
DISCOVERY_S = 0.3  # at least, until subscribers that are there already are known
FIT_S = 2.0  # from then on until they are connected
DELIVER_S = 0.5
TIMINGS = 100_000  # of which the lateness is reported
Messages = Iterator[tuple[str, int, bytes]]  # topic, time of recording [ns], CDR


@dataclass
class Outcome:
    """What a replay did."""

    published: Counter[str] = field(default_factory=Counter)  # by name of the topic in the bag
    passes: int = 0  # whole ones
    seconds: float = 0.0
    late_ms: list[float] = field(default_factory=list)  # after the time that was due
    kept_up: tuple[str, ...] = ()  # consumers that have taken every message
    mute: tuple[str, ...] = ()  # consumers of which nobody knows whether they did

    def summary(self, flat_out: bool) -> str:
        total = self.published.total()
        text = f"{total} messages of {len(self.published)} topics in {self.seconds:.1f} s, {total / max(self.seconds, 1e-9):.0f} a second"
        if flat_out:
            return f"{text}; all taken by {', '.join(self.kept_up) or 'nobody: there are no consumers'}"
        late = np.percentile(self.late_ms or [0.0], (50, 99))
        return f"{text}; late by {late[0]:.2f} ms (median), {late[1]:.2f} ms (p99)"


class Player:
    """Replays one bag. `stop()` may be called from a signal handler or another thread."""

    def __init__(self, path: Path, choice: ReplayOptions, say: Callable[[str], None] = print) -> None:
        self._path = path
        self._choice = choice
        self._say = say
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> Outcome:
        """Replay until the end or `stop()`; raises ReplayError, before anything is published where it can be known."""
        outcome = Outcome()
        with open_bag(self._path, self._choice.damaged) as bag:
            for note in bag.notes:
                self._say(note)
            topics = self._choice.select(bag.topics)
            start_ns, end_ns = self._choice.span(bag.first_ns, bag.last_ns)
            context = Context()
            rclpy.init(context=context, signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
            node = Node("wm_replay", context=context, enable_rosout=False)
            try:
                publishers = self._advertise(node, bag, topics)
                clock = node.create_publisher(Clock, CLOCK, STATE) if self._choice.clock_hz else None
                self._await_discovery(node, list(publishers.values()))
                began = time.monotonic()
                while not self._stop.is_set():
                    messages = ahead(bag.messages(list(publishers), start_ns, end_ns))
                    with closing(messages):
                        if self._choice.flat_out:
                            self._flat_out(node, messages, publishers, clock, outcome)
                        else:
                            self._timed(messages, publishers, clock, start_ns, outcome)
                    outcome.passes += not self._stop.is_set()
                    if not self._choice.loop:
                        break
                outcome.seconds = time.monotonic() - began
                self._deliver(publishers)
            finally:
                node.destroy_node()
                rclpy.shutdown(context=context)
        return outcome

    # -- before --------------------------------------------------------------------------------------------------

    def _advertise(self, node: Node, bag: Source, topics: list[str]) -> dict[str, Publisher]:
        """A publisher for each topic whose type is installed; the others are named and left out."""
        store, publishers = typestore(), {}
        for topic in topics:
            if topic == CLOCK and self._choice.clock_hz:
                continue  # two clocks would contradict each other
            try:
                kind = message_class(bag.topics[topic], store)
            except ReplayError as error:
                self._say(f"skipped: {error}")
                continue
            reliability = "reliable" if self._choice.flat_out else self._choice.qos
            qos = publisher_qos(bag.topics[topic].offered, reliability)
            publishers[topic] = node.create_publisher(kind, self._choice.name(topic), qos)
        if not publishers:
            raise ReplayError(f"{self._path}: expected a topic whose type is installed, there is none")
        return publishers

    def _await_discovery(self, node: Node, publishers: list[Publisher]) -> None:
        """Until the subscribers that are there have been found: what is published before is lost to them."""

        def unheard() -> bool:
            return not all(node.count_subscribers(publisher.topic_name) for publisher in publishers)

        def unfit() -> list[str]:
            return [
                p.topic_name for p in publishers if p.get_subscription_count() < node.count_subscribers(p.topic_name)
            ]

        least, most = time.monotonic() + DISCOVERY_S, time.monotonic() + max(self._choice.delay_s, DISCOVERY_S)
        while time.monotonic() < least or (unheard() and time.monotonic() < most):
            if self._stop.wait(0.02):
                return
        patience = time.monotonic() + FIT_S
        while unfit() and time.monotonic() < patience:
            if self._stop.wait(0.02):
                return
        if names := unfit():
            self._say(f"a subscriber does not get {', '.join(names)}: its QoS does not fit; try --qos reliable")

    # -- replaying -----------------------------------------------------------------------------------------------

    def _timed(
        self,
        messages: Messages,
        publishers: dict[str, Publisher],
        clock: Publisher | None,
        start_ns: int,
        outcome: Outcome,
    ) -> None:
        pace = Pace(start_ns, time.monotonic_ns(), self._choice.rate)
        tick_ns = round(1e9 * self._choice.rate / self._choice.clock_hz) if clock else 0
        next_tick_ns = start_ns
        for topic, stamp_ns, data in messages:
            while clock is not None and next_tick_ns <= stamp_ns:
                if not self._wait_until(pace.due(next_tick_ns)):
                    return
                clock.publish(Clock(clock=to_msg(next_tick_ns)))
                next_tick_ns += tick_ns
            due_ns = pace.due(stamp_ns)
            if not self._wait_until(due_ns):
                return
            publishers[topic].publish(data)
            outcome.published[topic] += 1
            if len(outcome.late_ms) < TIMINGS:
                outcome.late_ms.append((time.monotonic_ns() - due_ns) / 1e6)

    def _wait_until(self, due_ns: int) -> bool:
        """False when the replay is to stop."""
        left_ns = due_ns - time.monotonic_ns()
        return not (self._stop.wait(left_ns / 1e9) if left_ns > 0 else self._stop.is_set())

    def _flat_out(
        self,
        node: Node,
        messages: Messages,
        publishers: dict[str, Publisher],
        clock: Publisher | None,
        outcome: Outcome,
    ) -> None:
        """Never two messages of a topic without the consumers having taken the first."""
        consumers = Consumers(node, publishers.values(), self._stop.is_set)
        under_way: set[str] = set()
        tick_ns = round(1e9 / self._choice.clock_hz) if clock else 0
        next_tick_ns = 0
        for topic, stamp_ns, data in messages:
            if self._stop.is_set():
                break
            if topic in under_way:
                consumers.keep_up()
                under_way.clear()
            if clock is not None and stamp_ns >= next_tick_ns:
                clock.publish(Clock(clock=to_msg(stamp_ns)))
                next_tick_ns = stamp_ns + tick_ns
            publishers[topic].publish(data)
            under_way.add(topic)
            outcome.published[topic] += 1
        consumers.keep_up()
        outcome.kept_up, outcome.mute = tuple(consumers.answering), tuple(sorted(consumers.mute))
        consumers.close()

    def _deliver(self, publishers: dict[str, Publisher]) -> None:
        """What was published last must not end with its publisher."""
        deadline = time.monotonic() + DELIVER_S
        for publisher in publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=max(0.0, deadline - time.monotonic())))
