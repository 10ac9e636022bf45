"""Cuts a recording into the steps of one node: what it was given, what it answered."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from wm_bags.replay.recorded import Recorded

ANSWER_NS = 2_000_000_000  # an answer is sent at most this long after what it answers


@dataclass
class Step:
    """One answer of a node."""

    stamp_ns: int  # of the measurement that is answered
    inputs: list[Recorded]  # in the order in which they were sent
    trigger: Recorded | None  # comes last and brings the answer; None: the inputs do
    expected: list[Recorded] = field(default_factory=list)  # the recorded answers
    events: list[Recorded] = field(default_factory=list)  # what happened to the node before the next step
    again: bool = False  # the trigger repeats the one before


@dataclass(frozen=True)
class Role:
    """The topics of one node."""

    node: str
    inputs: frozenset[str]
    outputs: frozenset[str]
    trigger: str = ""  # every message of it is a step; empty: every output is
    events: str = ""  # an output whose stamp is that of the step it follows
    # How long the node had worked [ns] when it sent the first of its answers: what was sent before that it had taken in.
    worked_ns: Callable[[Sequence[Recorded]], int] = lambda answers: 0
    # Whether the node answers a trigger of this stamp [ns] only once it has this input, so that this came before the answer.
    awaits: Callable[[Recorded, int], bool] = lambda message, stamp_ns: False
    # Topics of which the first message of a stamp counts. A simulator in lockstep that waits for an answer sends the same frames
    # again, and what is observed in them and believed of them is reported again: that depends on how busy the machine is.
    once: frozenset[str] = frozenset()

    @property
    def topics(self) -> frozenset[str]:
        return self.inputs | self.outputs | ({self.trigger, self.events} - {""})


class Steps:
    """Collects the steps of a role from messages in the order in which they were sent."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._inputs: list[Recorded] = []
        # With when it began [ns]. What happened before the first step belongs to one that nothing triggers.
        self._open: deque[tuple[int, Step]] = deque([(0, Step(0, [], None))])
        self._newest: dict[str, int] = {}  # stamp of the last message of each topic that repeats
        self.unanswered = (
            0  # triggers to which no answer was recorded: the node is not given these; a repeated one needs none
        )
        self.unasked = 0  # answers to what was not recorded: these are not expected

    def add(self, message: Recorded) -> Iterator[Step]:
        """Returns the steps of which everything is known now."""
        role = self._role
        again = False
        if message.topic in role.once or message.topic == role.trigger:  # others may have no stamp
            again = self._newest.get(message.topic) == message.stamp_ns
            self._newest[message.topic] = message.stamp_ns
        if again and message.topic in role.once:
            return
        if message.topic == role.trigger:
            if self._open[0][0] == 0:  # the first of all: a goal may have begun just before it was answered
                self._open[0] = message.sent_ns, self._open[0][1]
            self._open.append((message.sent_ns, Step(message.stamp_ns, self._inputs, message, again=again)))
            self._inputs = []
        elif message.topic in role.inputs:
            self._inputs.append(message)
        elif message.topic == role.events:
            (self._answering(message) or self._open[0][1]).events.append(message)
        elif message.topic in role.outputs and not role.trigger:
            self._open.append((message.sent_ns, Step(message.stamp_ns, self._inputs, None, [message])))
            self._inputs = []
        elif message.topic in role.outputs:
            step = self._answering(message)
            if step is None:
                self.unasked += 1
            else:
                step.expected.append(message)
        while len(self._open) > 1 and self._open[0][0] < message.sent_ns - ANSWER_NS:
            yield from self._close()

    def end(self) -> Iterator[Step]:
        """Returns the steps that are still open."""
        while self._open:
            yield from self._close()

    def _answering(self, message: Recorded) -> Step | None:
        """The newest open step of a message's stamp."""
        return next((step for _, step in reversed(self._open) if step.stamp_ns == message.stamp_ns), None)

    def _close(self) -> Iterator[Step]:
        _, step = self._open.popleft()
        if step.trigger is not None and step.expected:
            self._take_in(step)
        elif step.trigger is not None:
            self.unanswered += not step.again
            step.trigger = None
        if step.inputs or step.expected or step.events:
            yield step

    def _take_in(self, step: Step) -> None:
        """A trigger may wait while the node is busy; what comes meanwhile is served first: see wm_bags/replay/consumers.py."""
        answered_ns = min(answer.sent_ns for answer in step.expected)
        began_ns = answered_ns - self._role.worked_ns(step.expected)

        waiting = (*(each.inputs for _, each in self._open), self._inputs)
        awaited = {  # when the last of each topic was sent: what was sent before it on its topic came before it
            each.topic: each.sent_ns
            for inputs in waiting
            for each in inputs
            if each.sent_ns < answered_ns and self._role.awaits(each, step.stamp_ns)
        }

        def taken_in(message: Recorded) -> bool:
            return message.sent_ns < began_ns or message.sent_ns <= awaited.get(message.topic, 0)

        for inputs in waiting:
            step.inputs += [message for message in inputs if taken_in(message)]
            inputs[:] = [message for message in inputs if not taken_in(message)]
