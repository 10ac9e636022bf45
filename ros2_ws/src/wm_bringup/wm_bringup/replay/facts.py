"""What a recording says of the nodes: how they were configured, with which bundles, what they heard and said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rcl_interfaces.msg import ParameterEvent
from rclpy.parameter import parameter_value_to_python
from rclpy.serialization import deserialize_message
from wm_msgs.msg import ActiveBundle, Belief, Observation, Plan

from wm_bags.replay.node_steps import Role
from wm_bags.replay.options import ReplayError
from wm_bags.replay.recorded import Recorded, Recording
from wm_bags.replay.source import RecordedTopic, message_class
from wm_core.bags import typestore
from wm_core.paths import bundles_dir, rig_path
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT, RobotProfile, load_robot

PARAMETERS, ACTIVE, GOAL = "wm/parameters", "wm/active_bundle", "wm/goal"
OBSERVATION, BELIEF, EXECUTED = "wm/observation", "wm/belief", "wm/executed"
NODES = ("wm_perception", "wm_dynamics", "wm_planner")
SENDING_NS = 300_000  # from taking in a message to sending an answer, besides what is measured
IMAGE = "sensor_msgs/msg/Image"
JOINTS = "joint_topic"
TOPIC_PARAMETERS = {
    "colour_topic": "{camera}/color/image_raw",
    "depth_topic": "{camera}/aligned_depth_to_color/image_raw",
    "info_topic": "{camera}/color/camera_info",
}
ASSUMED = {"use_sim_time": True}  # of a bag that does not say how the nodes were configured
ASSUMED_OF = {"wm_planner": {"lockstep": True, "seed": 10000, "arm_lag": 0.0}}


@dataclass(frozen=True)
class Facts:
    """All that a replay needs to know."""

    parameters: dict[str, dict[str, Any]]  # by node
    folders: dict[str, Path]  # of each bundle, by its id
    model_id: str  # of the bundle that was in use first
    roles: list[Role]  # of the nodes that can be replayed
    kinds: dict[str, type]  # of their topics
    notes: list[str]  # what cannot be compared, and what is assumed


def read_facts(recording: Recording, bundles: Sequence[Path], overrides: Mapping[str, Mapping[str, Any]]) -> Facts:
    """`bundles`: where to look for the bundles, in place of where the bag says. `overrides`: parameters of nodes, over the
    recorded ones. Raises ReplayError for what is missing.
    """
    notes: list[str] = []
    parameters = _parameters(recording, overrides, notes)
    folders = _bundles(recording, parameters, bundles)
    first = next(recording.messages([OBSERVATION]), None)
    if first is None:
        raise ReplayError(f"expected messages on {OBSERVATION}, got none")
    model_id = deserialize_message(first.data, Observation).model_id
    if model_id not in folders:
        raise ReplayError(unknown_model(model_id, folders))
    roles = _roles(recording, parameters, notes)
    return Facts(parameters, folders, model_id, roles, _kinds(recording, roles), notes)


def unknown_model(model_id: str, folders: Mapping[str, Path]) -> str:
    known = ", ".join(f"'{name}' in {folder}" for name, folder in folders.items()) or "none"
    return f"was recorded with the bundle '{model_id}', found {known}; give its folder with --bundle"


def _parameters(
    recording: Recording, overrides: Mapping[str, Mapping[str, Any]], notes: list[str]
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
            notes.append(f"{name}: its parameters were not recorded on {PARAMETERS}; assumed: {found[name]}")
        found[name] |= overrides.get(name, {})
        if "base_frame" in found[name]:  # of recordings before robots had profiles
            found[name].setdefault("table_frame", found[name].pop("base_frame"))
        if name != "wm_dynamics":
            found[name][JOINTS] = found[name].get(JOINTS) or robot_named(found[name]).joint_topic
        # The node has a namespace of its own, and nothing of it is to be heard outside.
        found[name] |= {key: found[name][key].lstrip("/") for key in (*TOPIC_PARAMETERS, JOINTS) if key in found[name]}
    return found


def robot_named(parameters: Mapping[str, Any]) -> RobotProfile:
    """The robot that a node's parameters name, of a recording before robots had profiles the default one."""
    robot = load_robot(parameters.get("robot") or DEFAULT_ROBOT)
    return replace(robot, urdf=parameters["urdf"]) if parameters.get("urdf") else robot


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


def _measured_ns(answers: Sequence[Recorded], topic: str, kind: type, field: str) -> int:
    """A duration that a node measured and says in one of its answers, and what it takes to send one."""
    spent = [getattr(deserialize_message(each.data, kind), field) for each in answers if each.topic == topic]
    return round(1e6 * sum(spent)) + SENDING_NS


def _ends_turn(message: Recorded, stamp_ns: int) -> bool:
    """What the guard made of an earlier command, and where the arm was: a planner in lockstep does not answer before it knows."""
    return message.stamp_ns < stamp_ns if message.topic == EXECUTED else message.stamp_ns == stamp_ns


def _roles(recording: Recording, parameters: Mapping[str, Mapping[str, Any]], notes: list[str]) -> list[Role]:
    """What each node is given and answers; a node that cannot be replayed is left out and named."""
    seeing, planning = parameters["wm_perception"], parameters["wm_planner"]
    cameras = seeing.get("cameras") or [
        c.name for c in CameraRig.load(rig_path(seeing.get("rig", "two_cameras"))).cameras
    ]
    images = {
        seeing.get(name, default).format(camera=camera)
        for name, default in TOPIC_PARAMETERS.items()
        if "{camera}" in default
        for camera in cameras
    }
    joints, joints_of_planner = (each[JOINTS] for each in (seeing, planning))
    found = [
        Role(
            "wm_perception",
            frozenset({joints} | images),
            frozenset({OBSERVATION}),
            once=frozenset({OBSERVATION, *(topic for topic in images if recording.kinds.get(topic) == IMAGE)}),
        ),
        Role(
            "wm_dynamics",
            frozenset({EXECUTED}),
            frozenset({BELIEF, "wm/prediction_error"}),
            OBSERVATION,
            worked_ns=lambda answers: _measured_ns(answers, BELIEF, Belief, "filter_ms"),
            once=frozenset({OBSERVATION, BELIEF}),
        ),
        Role(
            "wm_planner",
            frozenset({joints_of_planner, EXECUTED, "wm/e_stopped"}),
            frozenset({"wm/command", "wm/plan"}),
            BELIEF,
            GOAL,
            lambda answers: _measured_ns(answers, "wm/plan", Plan, "plan_ms"),
            _ends_turn,
        ),
    ]
    problems = {}
    if missing := sorted(images - recording.kinds.keys()):
        problems["wm_perception"] = f"{', '.join(missing)} was not recorded"
    if not planning.get("lockstep", False):
        problems["wm_planner"] = "recorded in real time, where plans end at deadlines of a clock"
    elif GOAL not in recording.kinds and "wm/plan" in recording.kinds:
        problems["wm_planner"] = f"{GOAL} was not recorded, so nobody knows what it pursued"
    notes += [f"{name}: not compared: {problem}" for name, problem in problems.items()]
    return [role for role in found if role.node not in problems]


def _kinds(recording: Recording, roles: Sequence[Role]) -> dict[str, type]:
    """The class of each topic; raises ReplayError for a type that is not installed."""
    store, topics = typestore(), set().union(*(role.topics for role in roles))
    return {
        topic: message_class(RecordedTopic(topic, kind, ""), store)
        for topic, kind in recording.kinds.items()
        if topic in topics
    }
