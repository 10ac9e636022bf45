"""The profile of a bag that wm recorded: its own topics, with the robot, the cameras and their topics that its nodes were
given, as wm_perception took them in."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wm_bags.steps.profile import CameraTopics, Profile
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.paths import rig_path
from wm_core.rig import RigError
from wm_core.robot import DEFAULT_ROBOT, RobotError, load_robot

PARAMETERS = "/wm/parameters"  # rcl_interfaces/ParameterEvent: what a node was configured with; after the namespace
PERCEPTION = "wm_perception"
TOPICS = ("colour_topic", "depth_topic", "info_topic")  # its parameters that say where a camera's are
SWITCH, TEXTS = 1, 9  # rcl_interfaces/msg/ParameterType: PARAMETER_BOOL, PARAMETER_STRING_ARRAY


def profile_of(path: Path, damaged: str = "refuse") -> Profile:
    """wm's own topics; the default robot and rig where the bag does not say with which it was recorded.

    What is wrong with the bag is left to whoever reads it. Raises BagError where its rig or its robot is not on this machine.
    """
    nodes: dict[str, dict[str, Any]] = {}
    namespace, recorded = "", frozenset[str]()
    try:
        with Bag(path, damaged) as bag:
            recorded = frozenset(bag.topics)
            namespace = _namespace(recorded)
            for message in bag.messages({namespace + PARAMETERS} & recorded):
                event = bag.deserialize(message)
                nodes.setdefault(event.node.rpartition("/")[2], _values(event))
    except BagError:
        pass
    seen = nodes.get(PERCEPTION, {})
    every = {name: value for values in (*reversed(nodes.values()), seen) for name, value in values.items() if value}
    robot = every.get("robot", DEFAULT_ROBOT)
    try:
        profile = _of_rig(path, every.get("rig", ""))
        profile = replace(profile, robot=robot, joint_names=_joint_names(robot, every.get("tf_prefix", "")))
    except (RobotError, RigError) as error:
        raise BagError(
            f"{path}: expected the robot and the camera rig that it was recorded with on this machine: {error}; bring them here, or"
            " name their files in a profile: ./wm bag profile BAG proposes one for --profile"
        ) from error
    if PERCEPTION in nodes:
        profile = _seen(profile, seen, recorded, namespace)
    return _inside(profile, namespace)


def _namespace(topics: frozenset[str]) -> str:
    """Empty, or as in "/robot"; empty too where several robots were recorded, whose topics a profile has to choose."""
    found = [name.removesuffix(PARAMETERS) for name in topics if name.endswith(PARAMETERS)]
    return found[0] if len(found) == 1 else ""


def _values(event: Any) -> dict[str, Any]:
    """A node's parameters that are texts, lists of texts or switches, by name."""
    fields = {SWITCH: "bool_value", TEXTS: "string_array_value"}
    values = {each.name: each.value for each in event.new_parameters}
    return {name: getattr(value, fields.get(value.type, "string_value")) for name, value in values.items()}


def _of_rig(path: Path, rig: str) -> Profile:
    if not rig:
        return Profile.default()
    if not rig_path(rig).is_file():
        raise BagError(
            f"{path}: expected the camera rig '{rig}' that it was recorded with, there is no {rig_path(rig)} on this machine;"
            " bring it here, or name its file in a profile: ./wm bag profile BAG proposes one for --profile"
        )
    return Profile.default(rig)


def _joint_names(robot: str, prefix: str) -> dict[str, str]:
    """The bag's name by the robot's, where a prefix makes them differ."""
    own = load_robot(robot)
    if not prefix:
        return {}
    pairs = zip(own.joints, load_robot(robot, prefix).joints, strict=True)
    return {one: other for one, other in pairs if one != other}


def _seen(profile: Profile, values: Mapping[str, Any], recorded: frozenset[str], namespace: str) -> Profile:
    """With the topics of wm_perception, and, as it does, with the intrinsics of camera_info wherever there are any."""
    cameras = {
        name: CameraTopics(
            *(
                (values.get(parameter) or topic.lstrip("/")).format(camera=name)
                for parameter, topic in zip(TOPICS, (topics.color, topics.depth, topics.info), strict=True)
            )
        )
        for name, topics in profile.cameras.items()
        if name in (values.get("cameras") or profile.cameras)
    }
    described = all(_absolute(each.info, namespace) in recorded for each in cameras.values())
    return replace(
        profile,
        cameras=cameras,
        joints=values.get("joint_topic") or load_robot(profile.robot).joint_topic,
        intrinsics="camera_info" if described else profile.intrinsics,
        aligned_depth=bool(values.get("aligned_depth")),
        rectified=values.get("rectified") or profile.rectified,
    )


def _inside(profile: Profile, namespace: str) -> Profile:
    """With full names of its topics: wm's own are in the namespace of its launch."""
    cameras = {
        name: CameraTopics(*(_absolute(topic, namespace) for topic in (each.color, each.depth, each.info)))
        for name, each in profile.cameras.items()
    }
    return replace(
        profile,
        cameras=cameras,
        joints=_absolute(profile.joints, namespace),
        motion=namespace + profile.motion,
        object=f"{namespace}{profile.object}",
        episodes=f"{namespace}{profile.episodes}",
    )


def _absolute(topic: str, namespace: str) -> str:
    return topic if topic.startswith("/") else f"{namespace}/{topic}"
