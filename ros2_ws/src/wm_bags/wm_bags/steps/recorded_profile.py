"""The profile of a bag that wm recorded: its own topics, with the robot, the cameras and their topics that its nodes were
given."""

from dataclasses import replace
from pathlib import Path

from wm_bags.steps.profile import CameraTopics, Profile
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.paths import rig_path

PARAMETERS = "/wm/parameters"  # rcl_interfaces/ParameterEvent: what a node was configured with
EVERYWHERE = ("robot", "rig")
TOPICS = ("colour_topic", "depth_topic", "info_topic", "joint_topic")  # of wm_perception


def profile_of(path: Path, damaged: str = "refuse") -> Profile:
    """wm's own topics; the default robot and rig where the bag does not say with which it was recorded.

    What is wrong with the bag is left to whoever reads it.
    """
    found: dict[str, str] = {}
    try:
        with Bag(path, damaged) as bag:
            for message in bag.messages([PARAMETERS] if PARAMETERS in bag.topics else []):
                event = bag.deserialize(message)
                names = EVERYWHERE + (TOPICS if event.node.endswith("/wm_perception") else ())
                for each in event.new_parameters:
                    if each.name in names and each.value.string_value:
                        found.setdefault(each.name, each.value.string_value)
    except BagError:
        pass
    rig = found.get("rig", "")
    profile = Profile.default(rig) if rig and rig_path(rig).is_file() else Profile.default()
    cameras = {
        name: CameraTopics(
            *(
                "/" + found.get(parameter, topic).format(camera=name).lstrip("/")
                for parameter, topic in zip(TOPICS, (topics.color, topics.depth, topics.info, ""), strict=True)
                if topic
            )
        )
        for name, topics in profile.cameras.items()
    }
    joints = "/" + found.get("joint_topic", profile.joints).lstrip("/")
    return replace(profile, robot=found.get("robot", profile.robot), cameras=cameras, joints=joints)
