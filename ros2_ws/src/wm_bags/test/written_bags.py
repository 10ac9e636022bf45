"""Messages for a writer of bags, and what two independent readers find of them: rosbags and mcap."""

import random
from dataclasses import dataclass

import yaml
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter, Storage

LATCHED = {
    "history": "keep_last",
    "depth": 1,
    "reliability": "reliable",
    "durability": "transient_local",
    "deadline": {"sec": 0, "nsec": 0},
    "lifespan": {"sec": 0, "nsec": 0},
    "liveliness": "automatic",
    "liveliness_lease_duration": {"sec": 9223372036, "nsec": 854775807},
    "avoid_ros_namespace_conventions": False,
}
IMAGE, STRING = "sensor_msgs/msg/Image", "std_msgs/msg/String"


@dataclass(frozen=True)
class Sent:
    topic: str
    data: bytes
    log_ns: int
    publish_ns: int


def topics():
    return Topic("/image", definition_of(IMAGE)), Topic("/text", definition_of(STRING), [LATCHED])


def write(folder, messages, storage=None):
    writer = BagWriter(folder, storage or Storage())
    for topic in topics():
        writer.add_topic(topic)
    for message in messages:
        writer.write(message.topic, message.data, message.log_ns, message.publish_ns)
    writer.close()
    return writer


def images(count, size=100_000, start=0):
    """Messages a tenth of a second apart."""
    rng = random.Random(start)
    return [
        Sent("/image", rng.randbytes(size), 10**9 + i * 10**8, 10**9 + i * 10**8 - 1000)
        for i in range(start, start + count)
    ]


def by_rosbags(folder):
    with Reader(folder) as reader:
        found = [(connection.topic, bytes(data), log_ns) for connection, log_ns, data in reader.messages()]
        assert reader.message_count == len(found)
    return found


def by_mcap(folder):
    found = []
    for file in sorted(folder.glob("*.mcap")):
        with open(file, "rb") as stream:
            reader = make_reader(stream, validate_crcs=True)
            messages = list(reader.iter_messages(log_time_order=False))
            assert reader.get_summary().statistics.message_count == len(messages)
            found += [Sent(channel.topic, m.data, m.log_time, m.publish_time) for _, channel, m in messages]
    return found


def information(folder):
    return yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
