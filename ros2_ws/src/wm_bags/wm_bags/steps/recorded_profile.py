"""The profile of a bag that wm recorded: its own topics, with the robot and the cameras that its nodes were given."""

from dataclasses import replace
from pathlib import Path

from wm_bags.steps.profile import Profile
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.paths import rig_path

PARAMETERS = "/wm/parameters"  # rcl_interfaces/ParameterEvent: what a node was configured with


def profile_of(path: Path, damaged: str = "refuse") -> Profile:
    """wm's own topics; the default robot and rig where the bag does not say with which it was recorded.

    What is wrong with the bag is left to whoever reads it.
    """
    found: dict[str, str] = {}
    try:
        with Bag(path, damaged) as bag:
            for message in bag.messages([PARAMETERS] if PARAMETERS in bag.topics else []):
                for each in bag.deserialize(message).new_parameters:
                    if each.name in ("robot", "rig") and each.value.string_value:
                        found.setdefault(each.name, each.value.string_value)
    except BagError:
        pass
    rig = found.get("rig", "")
    profile = Profile.default(rig) if rig and rig_path(rig).is_file() else Profile.default()
    return replace(profile, robot=found.get("robot", profile.robot))
