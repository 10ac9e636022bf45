"""A robot's sensors at full rate, for bench/recording.py: 640x480 RGB and depth at 30 Hz, joint states at 500 Hz.

Every message bears its number in the stamp, so that a reader can tell which are missing. Runs until SIGTERM or SIGINT, then
prints how many it sent, as JSON by topic.
"""

import json
import signal
import struct
import time

import numpy as np
import rclpy
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState

from wm_core.qos import SENSOR
from wm_core.robot import load_robot

TOPICS = {"load/color/image_raw": 30.0, "load/aligned_depth_to_color/image_raw": 30.0, "load/joint_states": 500.0}
WIDTH, HEIGHT = 640, 480
# What a publisher keeps for a reliable reader that is late: a fifth of a second. It is the publisher's to choose, and with
# wm's 10 messages (20 ms at 500 Hz) a busy machine loses some on the way to whoever listens.
JOINTS = QoSProfile(depth=100, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)


def stamped(message: bytearray, number: int) -> bytes:
    """The message with its number as seconds of the stamp."""
    struct.pack_into("<i", message, 4, number)
    return bytes(message)


def number_of(data: bytes) -> int:
    """The number of a message."""
    return struct.unpack_from("<i", data, 4)[0]


def messages() -> dict[str, bytearray]:
    """One serialised message a topic; noise, like a real image, does not compress."""
    rng = np.random.default_rng(0)
    images = {"rgb8": (3, rng.integers(0, 256, WIDTH * HEIGHT * 3, np.uint8)), "16UC1": (2, None)}
    images["16UC1"] = 2, rng.integers(400, 1500, WIDTH * HEIGHT, np.uint16).view(np.uint8)
    made = [
        Image(width=WIDTH, height=HEIGHT, encoding=encoding, step=size * WIDTH, data=data.tobytes())
        for encoding, (size, data) in images.items()
    ]
    names, zeros = list(load_robot().joints), [0.0] * len(load_robot().joints)
    made.append(JointState(name=names, position=zeros, velocity=zeros, effort=zeros))
    return {topic: bytearray(serialize_message(message)) for topic, message in zip(TOPICS, made, strict=True)}


def main() -> None:
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    node = rclpy.create_node("camera_load")
    content = messages()
    publishers = {
        topic: node.create_publisher(
            JointState if topic.endswith("joint_states") else Image,
            topic,
            JOINTS if topic.endswith("joint_states") else SENSOR,
        )
        for topic in TOPICS
    }
    while running and not all(publisher.get_subscription_count() for publisher in publishers.values()):
        time.sleep(0.05)
    time.sleep(0.5)  # the reader's side finds the writers a little later
    sent = dict.fromkeys(TOPICS, 0)
    begin = time.monotonic()
    while running:
        now = time.monotonic() - begin
        for topic, rate in TOPICS.items():
            while sent[topic] <= now * rate:
                publishers[topic].publish(stamped(content[topic], sent[topic]))
                sent[topic] += 1
        time.sleep(0.001)
    time.sleep(1.0)  # what is reliable gets there
    print(json.dumps(sent), flush=True)


if __name__ == "__main__":
    main()
