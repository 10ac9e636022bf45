"""Who publishes on a topic that is silent, in words: nobody, on another one, or somebody who says nothing."""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node

ALIKE = 0.7  # of difflib: a name that may be meant
IMAGE, INFO, JOINTS = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/JointState"


def silent(node: "Node", topic: str, type_name: str, parameter: str) -> str:
    """That nothing comes on a topic, in full, and what to do; `parameter`: names another."""
    return in_words(topic, publishers_of(node, topic, type_name), parameter)


def in_words(topic: str, who: str, parameter: str, since: str = "") -> str:
    """The same where it is known `who` publishes there, and `since` when it is silent."""
    return f"nothing on {' '.join(filter(None, (topic, since)))} ({who}): start its driver, or set {parameter}"


def publishers_of(node: "Node", topic: str, type_name: str = "") -> str:
    """How many publish on a topic, in full, and which other one may be meant; `type_name`: sensor_msgs/msg/Image, empty: any."""
    count = node.count_publishers(topic)
    if count:
        return f"{count} publisher{'s' if count > 1 else ''}"
    published = [
        name
        for name, types in node.get_topic_names_and_types()
        if name != topic and (name.startswith(f"{topic}/") or type_name in ("", *types)) and node.count_publishers(name)
    ]
    return f"0 publishers{meant(topic, published)}"


def meant(topic: str, published: Iterable[str]) -> str:
    """Which of the topics that are published may be meant; empty: none."""
    published = list(published)
    if below := sorted(name for name in published if name.startswith(f"{topic}/")):
        transport = below[0].rpartition("/")[2]
        return f", but {below[0]} is published: wm reads images that are not {transport}; let image_transport republish them"
    close = difflib.get_close_matches(topic, published, 1, ALIKE)
    return f", but {close[0]} is published" if close else ""
