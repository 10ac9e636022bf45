"""Whether a bag has what a profile says of it: topics, their types, and definitions that can be read."""

from wm_bags.steps.profile import Profile
from wm_bags.storage.cdr import COMPRESSED, IMAGE
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag

IMAGES = (IMAGE, COMPRESSED)
KINDS = {  # of what a topic must be, by its role's last word
    "colour": IMAGES,
    "depth": IMAGES,
    "intrinsics": ("sensor_msgs/msg/CameraInfo",),
    "joints": ("sensor_msgs/msg/JointState",),
    "episodes": ("wm_msgs/msg/Episode",),
    "object": ("geometry_msgs/msg/PoseStamped",),
}


def check_topics(bag: Bag, profile: Profile) -> None:
    """Raises BagError when topics that the profile names are missing, of another type, or cannot be read."""
    found = {name: topic.type for name, topic in bag.topics.items()}
    if missing := {topic: role for topic, role in profile.required.items() if topic not in found}:
        names = ", ".join(f"{topic} ({role})" for topic, role in missing.items())
        remedy = (
            "use the bag as video or record it"
            if set(missing.values()) <= {"episodes", "motion"}
            else "record it or use another bag"
        )
        raise BagError(
            f"{bag.path}: expected the topic {names}, found {sorted(found)}; {remedy}, or map its topics:"
            " ./wm bag profile BAG"
        )
    for topic, role in profile.roles.items():
        if topic not in found:  # one that may be missing
            continue
        wanted = KINDS.get(role.split(" ")[-1])
        if wanted and found[topic] not in wanted:
            raise BagError(
                f"{bag.path}: {topic}: expected {' or '.join(wanted)}, got {found[topic]}; map another topic to {role}"
            )
        if problem := bag.problem_of(topic):
            raise BagError(f"{bag.path}: {topic}: expected a {found[topic]} that can be read: {problem}")
