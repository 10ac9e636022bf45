"""Message types for reading and writing bags with the rosbags library."""

from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from wm_core.paths import share


def typestore() -> Typestore:
    """Jazzy's messages and wm_msgs."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for file in sorted((share("wm_msgs") / "msg").glob("*.msg")):
        types.update(get_types_from_msg(file.read_text(), f"wm_msgs/msg/{file.stem}"))
    store.register(types)
    return store
