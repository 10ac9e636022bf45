"""`./wm replay BAG --check`: gives the real nodes what they were given, and compares what they answer bit for bit.

Perception gets the recorded images and joints, dynamics the recorded observations and what was executed, the planner the
recorded beliefs, joints, executed commands and goals: each in a process and a namespace of its own, over DDS, one step after
the other. So a difference is named where it arises. All that is computed must be equal; durations that were measured
(encode_ms, filter_ms, plan_ms) are left out.
"""

import argparse
import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rclpy
import yaml
from rcl_interfaces.msg import ParameterEvent
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from wm_msgs.msg import ActiveBundle

from wm_bags.replay_choice import ReplayError
from wm_bags.replay_compare import MEASURED, Tally, pair, table
from wm_bags.replay_recording import Recorded, Recording, open_recording
from wm_bags.replay_source import RecordedTopic, message_class
from wm_bags.replay_steps import Role, Step, Steps
from wm_bringup.graph import config
from wm_bringup.replay_node import NodeError, ReplayedNode
from wm_core.bags import typestore
from wm_core.paths import bundles_dir, rig_path
from wm_core.rig import CameraRig

PARAMETERS, ACTIVE, OBSERVATION, BELIEF, GOAL = (
    "wm/parameters",
    "wm/active_bundle",
    "wm/observation",
    "wm/belief",
    "wm/goal",
)
NODES = ("wm_perception", "wm_dynamics", "wm_planner")
IMAGES = 100
INSTANT_NS = 20_000_000  # images this close are of one instant: wm_perception's sync_tolerance
GIVE_UP = 3  # answers of a node that never came, then it is given nothing more
ASSUMED = {"use_sim_time": True}  # of a bag that does not say how the nodes were configured
ASSUMED_OF = {"wm_planner": {"lockstep": True, "seed": 10000}}
MODEL_TOPICS = (OBSERVATION, BELIEF)  # their messages say which bundle they were computed with


@dataclass
class Report:
    """What a check found."""

    tallies: list[Tally] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return any(tally.equal for tally in self.tallies) and all(tally.good for tally in self.tallies)


def check(bag: Path, bundles: Sequence[Path] = (), overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Report:
    """Replay a bag through the nodes and compare.

    `bundles`: where to look for the bundle first. `overrides`: parameters of nodes, over the recorded ones. Raises
    ReplayError for a bag or bundle that does not serve, NodeError for a node that does not run.
    """
    recording, report = open_recording(bag), Report()
    parameters = _parameters(recording, overrides or {}, report)
    folders = _bundles(recording, parameters, bundles)
    first = _first_model(recording, folders, bag)
    roles = _roles(recording, parameters, report)
    kinds = _kinds(recording, roles)
    context = Context()
    rclpy.init(context=context)
    me, executor = (
        Node("wm_replay_check", context=context, enable_rosout=False),
        SingleThreadedExecutor(context=context),
    )
    executor.add_node(me)
    try:
        with ExitStack() as stack:
            nodes = [ReplayedNode(me, executor, role, kinds, f"/wm_replay_{os.getpid()}") for role in roles]
            for node in nodes:
                values = {**parameters[node.role.node], "bundle": str(folders[first])}
                files = () if PARAMETERS in recording.kinds else (config("arm_sim.yaml"),)
                stack.enter_context(node.process(values, files))
            for node in nodes:
                node.bring_up()
            checks = [_Check(node, kinds, folders, first, report) for node in nodes]
            topics = set().union(*(role.topics for role in roles))
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

    def __init__(
        self, node: ReplayedNode, kinds: Mapping[str, type], folders: Mapping[str, Path], model_id: str, report: Report
    ) -> None:
        self._node, self._kinds, self._folders, self._model_id, self._report = node, kinds, folders, model_id, report
        self._steps = Steps(node.role)
        self._count = self._incomplete = 0
        self._images: deque[int] = deque(maxlen=IMAGES)  # stamps of the last ones
        topics = [*sorted(node.role.outputs), *([node.role.events] if node.role.events else [])]
        self._tallies = {topic: Tally(topic) for topic in topics if topic in kinds}
        report.tallies += self._tallies.values()

    def add(self, message: Recorded) -> None:
        if message.topic in self._node.role.topics:
            for step in self._steps.add(message):
                self._replay(step)

    def end(self) -> None:
        for step in self._steps.end():
            self._replay(step)
        self._compare([], self._node.rest())
        name, steps = self._node.role.node, self._steps
        for count, what in (
            (steps.unanswered, "inputs to which no answer was recorded: not replayed"),
            (steps.unasked, "answers to what was not recorded: not compared"),
            (self._incomplete, "steps of which the recording lost images: not compared"),
        ):
            if count:
                self._report.notes.append(f"{name}: {count} {what}")

    def _replay(self, step: Step) -> None:
        if self._lost_images(step):
            self._incomplete += 1
            step = Step(step.stamp_ns, step.inputs, None)
        missing = sum(tally.missing for tally in self._tallies.values())
        if missing >= GIVE_UP:
            answers: list[Recorded] = []
        else:
            self._follow(step)
            answers = self._node.run(step)
        self._count += bool(step.expected)
        self._compare([*step.expected, *step.events], answers)

    def _compare(self, expected: Sequence[Recorded], answers: Sequence[Recorded]) -> None:
        for one, other in pair(expected, answers):
            topic = (one or other).topic  # type: ignore[union-attr]
            stamp_ns = (one or other).stamp_ns  # type: ignore[union-attr]
            messages = (
                None if each is None else deserialize_message(each.data, self._kinds[topic]) for each in (one, other)
            )
            self._tallies[topic].add(self._count, stamp_ns, *messages)

    def _lost_images(self, step: Step) -> bool:
        """Whether an observation was made from images that the recording does not hold: camera topics may lose some."""
        if self._node.role.trigger or not step.expected:
            return False
        seen = deserialize_message(step.expected[0].data, self._kinds[OBSERVATION]).cameras
        self._images += (message.stamp_ns for message in step.inputs if self._kinds[message.topic] is Image)
        return sum(abs(stamp_ns - step.stamp_ns) <= INSTANT_NS for stamp_ns in self._images) < 2 * len(seen)

    def _follow(self, step: Step) -> None:
        """Where another bundle was swapped in, do so."""
        says = step.trigger or next(iter(step.expected), None)
        if says is None or says.topic not in MODEL_TOPICS:
            return
        model_id = deserialize_message(says.data, self._kinds[says.topic]).model_id
        if model_id != self._model_id:
            if model_id not in self._folders:
                raise ReplayError(_unknown_model(model_id, self._folders))
            self._node.swap(str(self._folders[model_id]), model_id)
            self._model_id = model_id


# -- what the bag says of the nodes ----------------------------------------------------------------------------------


def _parameters(
    recording: Recording, overrides: Mapping[str, Mapping[str, Any]], report: Report
) -> dict[str, dict[str, Any]]:
    """Parameters of each node, as recorded first."""
    found: dict[str, dict[str, Any]] = {}
    for message in recording.messages([PARAMETERS]):
        event = deserialize_message(message.data, ParameterEvent)
        values = {each.name: parameter_value_to_python(each.value) for each in event.new_parameters}
        # An empty list has no type in a parameter file; it is the default wherever it is allowed.
        kept = {name: _plain(value) for name, value in values.items() if value is not None and _plain(value) != []}
        found.setdefault(event.node.rpartition("/")[2], kept)
    for name in NODES:
        if name not in found:
            found[name] = {**ASSUMED, **ASSUMED_OF.get(name, {})}
            report.notes.append(f"{name}: its parameters were not recorded on {PARAMETERS}; assumed: {found[name]}")
        found[name] |= overrides.get(name, {})
    return found


def _plain(value: Any) -> Any:
    return list(value) if hasattr(value, "tolist") or isinstance(value, tuple) else value


def _bundles(
    recording: Recording, parameters: Mapping[str, Mapping[str, Any]], given: Sequence[Path]
) -> dict[str, Path]:
    """Folder of each bundle that is known, by its id: those given first, then those that the bag names."""
    folders = [*given]
    if not given:
        folders += [Path(parameters[name].get("bundle") or bundles_dir() / "default") for name in NODES]
        active = (deserialize_message(each.data, ActiveBundle) for each in recording.messages([ACTIVE]))
        folders += [Path(each.folder) for each in active]
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            found.setdefault(yaml.safe_load((folder / "bundle.yaml").read_text())["id"], folder.absolute())
        except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
            if given:
                raise ReplayError(f"--bundle: expected a model bundle, got {folder}: {error}") from error
    return found


def _first_model(recording: Recording, folders: Mapping[str, Path], bag: Path) -> str:
    kinds = _kinds(recording, (Role("", frozenset(), frozenset({OBSERVATION})),))
    for message in recording.messages([OBSERVATION]):
        model_id = deserialize_message(message.data, kinds[OBSERVATION]).model_id
        if model_id not in folders:
            raise ReplayError(f"{bag}: {_unknown_model(model_id, folders)}")
        return model_id
    raise ReplayError(f"{bag}: expected messages on {OBSERVATION}, got none")


def _unknown_model(model_id: str, folders: Mapping[str, Path]) -> str:
    known = ", ".join(f"'{name}' in {folder}" for name, folder in folders.items()) or "none"
    return f"was recorded with the bundle '{model_id}', found {known}; give its folder with --bundle"


def _roles(recording: Recording, parameters: Mapping[str, Mapping[str, Any]], report: Report) -> list[Role]:
    """What each node is given and answers; a node that cannot be replayed is left out and named."""
    seeing, planning = parameters["wm_perception"], parameters["wm_planner"]
    cameras = seeing.get("cameras") or [
        c.name for c in CameraRig.load(rig_path(seeing.get("rig", "two_cameras"))).cameras
    ]
    patterns = {
        "colour_topic": "{camera}/color/image_raw",
        "depth_topic": "{camera}/aligned_depth_to_color/image_raw",
        "info_topic": "{camera}/color/camera_info",
    }
    images = {
        seeing.get(name, default).format(camera=camera) for name, default in patterns.items() for camera in cameras
    }
    joints = seeing.get("joint_topic", "joint_states")
    roles = [
        Role("wm_perception", frozenset({joints} | images), frozenset({OBSERVATION})),
        Role("wm_dynamics", frozenset({"wm/executed"}), frozenset({BELIEF, "wm/prediction_error"}), OBSERVATION),
        Role(
            "wm_planner",
            frozenset({planning.get("joint_topic", "joint_states"), "wm/executed", "wm/e_stopped"}),
            frozenset({"wm/command", "wm/plan"}),
            BELIEF,
            GOAL,
        ),
    ]
    problems = {}
    if missing := sorted(images - recording.kinds.keys()):
        problems["wm_perception"] = f"{', '.join(missing)} was not recorded"
    if not planning.get("lockstep", False):
        problems["wm_planner"] = "recorded in real time, where plans end at deadlines of a clock"
    elif GOAL not in recording.kinds and "wm/plan" in recording.kinds:
        problems["wm_planner"] = f"{GOAL} was not recorded, so nobody knows what it pursued"
    report.notes += [f"{name}: not compared: {problem}" for name, problem in problems.items()]
    return [role for role in roles if role.node not in problems]


def _kinds(recording: Recording, roles: Sequence[Role]) -> dict[str, type]:
    """The class of each topic; raises ReplayError for a type that is not installed."""
    store, topics = typestore(), set().union(*(role.topics for role in roles))
    return {
        topic: message_class(RecordedTopic(topic, kind, ""), store)
        for topic, kind in recording.kinds.items()
        if topic in topics
    }


# -- command line ----------------------------------------------------------------------------------------------------


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


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0: all is equal; 1: something is not; 2: it could not be compared."""
    parser = argparse.ArgumentParser(
        prog="wm replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bag", type=Path, help="a bag that wm recorded, best with real_time:=false record:=BAG")
    parser.add_argument("--check", action="store_true", required=True, help="this comparison, instead of publishing")
    parser.add_argument(
        "--bundle", type=Path, nargs="+", default=[], help="folders of the bundles it was recorded with"
    )
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NODE.PARAMETER=VALUE", help="a parameter other than it was recorded"
    )
    options = parser.parse_args(arguments)
    try:
        report = check(options.bag, options.bundle, settings(options.set))
    except (ReplayError, NodeError) as error:
        print(f"wm replay: {error}", file=sys.stderr)
        return 2
    print(table(report.tallies))
    for note in report.notes:
        print(f"note: {note}")
    measured = ", ".join(f"{topic}.{name}" for topic, names in MEASURED.items() for name in names)
    print(f"{'equal' if report.good else 'NOT EQUAL'}, bit for bit, but for what was measured: {measured}")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
