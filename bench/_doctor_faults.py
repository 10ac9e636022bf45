"""Faults of topics and times that can be planted into a record, their parameters drawn."""

from dataclasses import replace

import numpy as np
from _doctor_plant import camera, endpoints, fault, image_topic, keep, restamp

from wm_bringup.doctor.observed import IMAGE, Endpoint, Observed

Rng = np.random.Generator

# -- topics --------------------------------------------------------------------------------------------------------------


def _gone(observed: Observed, topic: str) -> None:
    endpoints(observed, lambda e: e.publishes and e.topic == topic)
    observed.streams.pop(topic, None)


@fault("topic_missing", "/other/")
def another_topic_name(observed: Observed, rng: Rng) -> str:
    topic = image_topic(observed, rng)
    other = "/other" + topic
    node = observed.publishers(topic)[0].node
    _gone(observed, topic)
    observed.endpoints.append(Endpoint(other, IMAGE, node, True))
    return topic


@fault("topic_missing", "start its driver")
def driver_not_started(observed: Observed, rng: Rng) -> str:
    topic = str(rng.choice([observed.setup.joint_topic, camera(observed, rng).info]))
    _gone(observed, topic)
    return topic


@fault("topic_missing", "republish")
def only_compressed(observed: Observed, rng: Rng) -> str:
    topic = camera(observed, rng).colour
    _gone(observed, topic)
    observed.endpoints.append(Endpoint(f"{topic}/compressed", "sensor_msgs/msg/CompressedImage", "/camera", True))
    return topic


@fault("topic_silent", "does it stream")
def silent_driver(observed: Observed, rng: Rng) -> str:
    topic = image_topic(observed, rng)
    observed.streams.pop(topic)
    return topic


@fault("topic_type", "sensor_msgs/msg/Image")
def another_type(observed: Observed, rng: Rng) -> str:
    topic = image_topic(observed, rng)
    kind = str(rng.choice(["sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/PointCloud2"]))
    endpoints(observed, lambda e: e.publishes and e.topic == topic, type=kind)
    observed.streams.pop(topic)
    return topic


@fault("two_publishers", "end all but one")
def second_publisher(observed: Observed, rng: Rng) -> str:
    setup = observed.setup
    topic = str(rng.choice([image_topic(observed, rng), setup.joint_topic, setup.controller_topic]))
    first = observed.publishers(topic)[0]
    observed.endpoints.append(replace(first, node=f"/second_{rng.integers(100)}"))
    return topic


@fault("qos_reliability", "best effort")
def deaf_subscription(observed: Observed, rng: Rng) -> str:
    topic = observed.setup.joint_topic
    nodes = [e.node for e in observed.subscriptions(topic)]
    node = nodes[int(rng.integers(len(nodes)))]
    endpoints(observed, lambda e: e.node == node and e.topic == topic, reliable=True)
    return topic


@fault("qos_durability", "transient local")
def volatile_facts(observed: Observed, rng: Rng) -> str:
    endpoints(observed, lambda e: e.topic == "/tf_static" and e.publishes, latched=False)
    return "/tf_static"


# -- times ---------------------------------------------------------------------------------------------------------------


def _thin(observed: Observed, topic: str, rate: float) -> None:
    """As a driver at another rate would publish."""
    stream = observed.streams[topic]
    marks = np.floor(stream.arrivals * rate)
    keep(stream, np.r_[True, np.diff(marks) > 0])


@fault("rate", "frame rate")
def slow_camera(observed: Observed, rng: Rng) -> str:
    chosen, rate = camera(observed, rng), rng.uniform(2, 8)
    for topic in (chosen.colour, chosen.depth):
        _thin(observed, topic, rate)
    return chosen.colour


@fault("rate", "joint_state_broadcaster")
def slow_joints(observed: Observed, rng: Rng) -> str:
    endpoints(observed, lambda e: e.node == "/gripper_driver")
    robot, stream = observed.setup.robot, observed.streams[observed.setup.joint_topic]
    keep(stream, np.array([set(robot.joints) <= set(message.name) for _, message in stream.kept]))
    _thin(observed, observed.setup.joint_topic, rng.uniform(3, 18))
    return observed.setup.joint_topic


@fault("jitter", "priority")
def jitter(observed: Observed, rng: Rng) -> str:
    stream = observed.streams[topic := image_topic(observed, rng)]
    period = float(np.median(np.diff(stream.arrivals)))
    late = rng.uniform(0, rng.uniform(1.5, 3.0) * max(period, 0.033), len(stream.heard))
    arrivals = np.maximum.accumulate([h.arrival_ns + round(1e9 * x) for h, x in zip(stream.heard, late, strict=True)])
    stream.heard = [replace(h, arrival_ns=int(a)) for h, a in zip(stream.heard, arrivals, strict=True)]
    return topic


@fault("gap", "cable")
def gap(observed: Observed, rng: Rng) -> str:
    topic = str(rng.choice([image_topic(observed, rng), observed.setup.joint_topic]))
    stream, begin = observed.streams[topic], rng.uniform(1, 6)
    keep(stream, (stream.arrivals < begin) | (stream.arrivals > begin + rng.uniform(0.4, 3)))
    return topic


@fault("gap", "cable")
def unplugged(observed: Observed, rng: Rng) -> str:
    topic = image_topic(observed, rng)
    keep(observed.streams[topic], observed.streams[topic].arrivals < rng.uniform(2, 8))
    return topic


@fault("gap", "cable")
def died_at_once(observed: Observed, rng: Rng) -> str:
    """After fewer images than say something of a rate."""
    topic = image_topic(observed, rng)
    keep(observed.streams[topic], np.arange(len(observed.streams[topic].heard)) < rng.integers(1, 10))
    return topic


@fault("lost", "Fast DDS profile")
def lost_frames(observed: Observed, rng: Rng) -> str:
    topic = image_topic(observed, rng)
    keep(observed.streams[topic], rng.uniform(size=len(observed.streams[topic].heard)) > rng.uniform(0.12, 0.4))
    return topic


@fault("stamps_zero", "must stamp")
def no_stamps(observed: Observed, rng: Rng) -> str:
    topic = str(rng.choice([image_topic(observed, rng), observed.setup.joint_topic]))
    restamp(observed.streams[topic], lambda heard: 0)
    return topic


@fault("stamps_still", "restart the driver")
def stamps_stand_still(observed: Observed, rng: Rng) -> str:
    topic, every = image_topic(observed, rng), int(rng.integers(2, 10))
    stamps = [each.stamp_ns for each in observed.streams[topic].heard]
    held = iter([stamps[i - i % every] for i in range(len(stamps))])
    restamp(observed.streams[topic], lambda heard: next(held))
    return topic


@fault("stamps_back", "bag replayed")
def time_goes_back(observed: Observed, rng: Rng) -> str:
    topic = str(rng.choice([image_topic(observed, rng), observed.setup.joint_topic]))
    at, back = observed.begin_ns + round(1e9 * rng.uniform(3, 7)), round(1e9 * rng.uniform(0.3, 3))
    restamp(observed.streams[topic], lambda heard: heard.stamp_ns - back * (heard.arrival_ns > at))
    return topic


@fault("clock", "chrony")
def robot_clock_ahead(observed: Observed, rng: Rng) -> str:
    ahead = round(1e9 * rng.uniform(0.02, 0.9))
    topics = [observed.setup.joint_topic, observed.setup.controller_state_topic]
    for topic in topics:
        restamp(observed.streams[topic], lambda heard: heard.stamp_ns + ahead)
    return topics[int(rng.integers(2))]


@fault("clock", "chrony")
def camera_clock_off(observed: Observed, rng: Rng) -> str:
    chosen = camera(observed, rng)
    off = round(1e9 * rng.uniform(0.15, 2) * rng.choice([-1, 1]))
    for topic in (chosen.colour, chosen.depth):
        restamp(observed.streams[topic], lambda heard: heard.stamp_ns + off)
    return chosen.colour


@fault("another_time", "use_sim_time")
def stamps_since_boot(observed: Observed, rng: Rng) -> str:
    chosen, boot = camera(observed, rng), observed.begin_ns - round(1e9 * rng.uniform(10, 1e6))
    for topic in (chosen.colour, chosen.depth):
        restamp(observed.streams[topic], lambda heard: heard.stamp_ns - boot)
    return chosen.colour


@fault("pairing", "one rate")
def depth_out_of_step(observed: Observed, rng: Rng) -> str:
    """At 15 Hz, about half a period off: farther than the tolerance."""
    chosen = camera(observed, rng)
    observed.setup = replace(observed.setup, sync_tolerance=0.02)
    for topic in (chosen.colour, chosen.depth):
        if 1 / np.median(np.diff(observed.streams[topic].stamps)) > 20:
            keep(observed.streams[topic], np.arange(len(observed.streams[topic].heard)) % 2 == 0)
    off = round(1e9 * rng.uniform(0.025, 0.031))
    stream = observed.streams[chosen.depth]
    stream.heard = [replace(h, stamp_ns=h.stamp_ns + off, arrival_ns=h.arrival_ns + off) for h in stream.heard]
    return chosen.name
