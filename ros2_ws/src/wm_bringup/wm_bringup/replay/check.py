"""`./wm replay BAG --check`: gives the real nodes what they were given, and compares what they answer bit for bit.

Perception gets the recorded images and joints, dynamics the recorded observations and what was executed, the planner the
recorded beliefs, joints, executed commands and goals: each in a process and a namespace of its own, over DDS, one step after
the other. So a difference is named where it arises. All that is computed must be equal; durations that were measured
(encode_ms, filter_ms, plan_ms) are left out.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rclpy
import yaml
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message

from wm_bags.replay.compare import Tally, pair, table
from wm_bags.replay.node_steps import Step, Steps
from wm_bags.replay.options import ReplayError
from wm_bags.replay.recorded import Recorded, open_recording
from wm_bringup.graph_parts import config
from wm_bringup.replay.facts import BELIEF, NODES, OBSERVATION, PARAMETERS, Facts, read_facts, unknown_model
from wm_bringup.replay.inputs import UsedInputs
from wm_bringup.replay.node_process import ReplayedNode
from wm_planner.turns import AGAIN_S

GIVE_UP = 3  # answers of a node that never came, then it is given nothing more
MODEL_TOPICS = (OBSERVATION, BELIEF)  # their messages say which bundle they were computed with


@dataclass
class Report:
    """What a check found."""

    tallies: list[Tally] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return any(tally.equal for tally in self.tallies) and all(tally.good for tally in self.tallies)

    def text(self) -> str:
        """All that was found: what differs, and where first."""
        return "\n".join([table(self.tallies), *(f"note: {note}" for note in self.notes)])


def check(bag: Path, bundles: Sequence[Path] = (), overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Report:
    """Replay a bag through the nodes and compare.

    `bundles`: where to look for the bundle first. `overrides`: parameters of nodes, over the recorded ones. Raises
    ReplayError for a bag or bundle that does not serve, NodeError for a node that does not run.
    """
    recording = open_recording(bag)
    try:
        facts = read_facts(recording, bundles, overrides or {})
    except ReplayError as error:
        raise ReplayError(f"{bag}: {error}") from error
    report = Report(notes=facts.notes)
    context = Context()
    rclpy.init(context=context)
    me = Node("wm_replay_check", context=context, enable_rosout=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(me)
    try:
        with ExitStack() as stack:
            prefix = f"/wm_replay_{os.getpid()}"
            nodes = [ReplayedNode(me, executor, role, facts.kinds, prefix) for role in facts.roles]
            for node in nodes:
                values = {**facts.parameters[node.role.node], "bundle": str(facts.folders[facts.model_id])}
                files = () if PARAMETERS in recording.kinds else (config("arm_sim.yaml"),)
                stack.enter_context(node.process(values, files))
            for node in nodes:
                node.bring_up()
            checks = [_Check(node, facts, report) for node in nodes]
            topics = set().union(*(role.topics for role in facts.roles))
            for message in recording.messages(topics):
                for each in checks:
                    each.add(message)
            for each in checks:
                each.end()
    finally:
        executor.shutdown()
        me.destroy_node()
        rclpy.shutdown(context=context)
    return report


class _Check:
    """Replays the steps of one node and counts what is equal."""

    def __init__(self, node: ReplayedNode, facts: Facts, report: Report) -> None:
        self._node, self._facts, self._kinds, self._report = node, facts, facts.kinds, report
        self._model_id = facts.model_id
        self._inputs = UsedInputs(facts) if node.role.node == "wm_perception" else None
        self._steps = Steps(node.role)
        self._count = self._incomplete = self._cut = 0
        topics = [*sorted(node.role.outputs), *([node.role.events] if node.role.events else [])]
        self._tallies = {topic: Tally(topic) for topic in topics if topic in facts.kinds}
        report.tallies += self._tallies.values()

    def add(self, message: Recorded) -> None:
        if message.topic in self._node.role.topics:
            for step in self._steps.add(message):
                self._replay(step)

    def end(self) -> None:
        left = list(self._steps.end())
        last = next((step for step in reversed(left) if step.expected), None)
        for step in left:
            self._replay(step, ends=step is last)
        self._compare([], self._node.rest())
        name, steps = self._node.role.node, self._steps
        for count, what in (
            (steps.unanswered, "inputs to which no answer was recorded: not replayed"),
            (steps.unasked, "answers to what was not recorded: not compared"),
            (self._incomplete, "steps of which the recording lost images: not compared"),
            (self._cut, "answers of the last step that the recording ends before: not compared"),
        ):
            if count:
                self._report.notes.append(f"{name}: {count} {what}")

    def _replay(self, step: Step, ends: bool = False) -> None:
        """`ends`: the recording may have ended between the answers of this step."""
        if step.again and step.trigger is not None:
            time.sleep(AGAIN_S)  # sooner it is not answered again
        if self._inputs is not None and step.expected and not self._inputs.order(step):
            self._incomplete += 1
            step = Step(step.stamp_ns, step.inputs, None)
        missing = sum(tally.missing for tally in self._tallies.values())
        if missing >= GIVE_UP:
            answers: list[Recorded] = []
        else:
            self._follow(step)
            answers = self._node.run(step)
        self._count += bool(step.expected)
        self._compare([*step.expected, *step.events], answers, ends)

    def _compare(self, expected: Sequence[Recorded], answers: Sequence[Recorded], ends: bool = False) -> None:
        for one, other in pair(expected, answers):
            if one is None and ends:
                self._cut += 1
                continue
            topic = (one or other).topic  # type: ignore[union-attr]
            stamp_ns = (one or other).stamp_ns  # type: ignore[union-attr]
            recorded, replayed = (
                None if each is None else deserialize_message(each.data, self._kinds[topic]) for each in (one, other)
            )
            self._tallies[topic].add(self._count, stamp_ns, recorded, replayed, one.unknown if one else ())

    def _follow(self, step: Step) -> None:
        """Where another bundle was swapped in, do so."""
        says = step.trigger or next(iter(step.expected), None)
        if says is None or says.topic not in MODEL_TOPICS:
            return
        model_id = deserialize_message(says.data, self._kinds[says.topic]).model_id
        if model_id != self._model_id:
            if model_id not in self._facts.folders:
                raise ReplayError(unknown_model(model_id, self._facts.folders))
            self._node.swap(str(self._facts.folders[model_id]), model_id)
            self._model_id = model_id


def settings(pairs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parameters by node of NODE.PARAMETER=VALUE; raises ReplayError."""
    found: dict[str, dict[str, Any]] = {}
    for text in pairs:
        name, separator, value = text.partition("=")
        node, dot, parameter = name.partition(".")
        if not (separator and dot and parameter) or node not in NODES:
            raise ReplayError(f"--set: expected NODE.PARAMETER=VALUE of {', '.join(NODES)}, got '{text}'")
        found.setdefault(node, {})[parameter] = yaml.safe_load(value)
    return found
