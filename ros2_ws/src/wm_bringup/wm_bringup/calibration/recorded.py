"""Views of the board out of a recording: one wherever the arm came to rest."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wm_bags.replay.options import absolute
from wm_bags.storage.reading import Bag
from wm_bringup.calibration.streams import NEAR_S, STILL_RAD, StreamError
from wm_bringup.calibration.topics import Topics
from wm_core.camera_model import sensor_lens
from wm_core.images import ImageError, colour_image
from wm_core.joint_states import JointStateError, read_joints
from wm_core.kinematics import Kinematics
from wm_core.stamps import to_ns
from wm_perception.calibration.samples import Samples

REST_S = 0.7  # the arm has swung out
ELSEWHERE_RAD = 0.05  # from the pose before, any joint


class Taken(NamedTuple):
    """How many views were `added`, and how many were `known` before: the recording was read into this folder already."""

    added: int
    known: int


def has_joints(path: Path, topics: Topics) -> bool:
    """Whether the topic of joint states is in a recording."""
    with Bag(path) as bag:
        return absolute(topics.joints) in bag.topics


def take_recorded(
    path: Path, samples: Samples, kinematics: Kinematics, cameras: Sequence[str], topics: Topics
) -> dict[str, Taken]:
    """Add views of each camera to `samples`, save those that are there with the same joints.

    Raises StreamError for topics that are not in the recording and for a lens that cannot be used.
    """
    with Bag(path) as bag:
        joint_topic = absolute(topics.joints or kinematics.robot.joint_topic)
        times, places = _joints(bag, joint_topic, kinematics)
        moments = rests(times, places)
        counts = {}
        for name in cameras:
            info, colour = (absolute(topic.format(camera=name)) for topic in (topics.info, topics.colour))
            content = next((bag.deserialize(message) for message in bag.messages([info])), None)
            if content is None:
                raise StreamError(f"{path}: expected messages on {info}, found none; --info-topic names another")
            try:
                samples.add_camera(name, sensor_lens(content, topics.rectified_of(name).colour))
            except ImageError as error:
                raise StreamError(f"{path}: {info}: {error}") from error
            counts[name] = _images(bag, colour, name, samples, kinematics, times, places, moments)
        return counts


def rests(times: np.ndarray, places: np.ndarray) -> list[tuple[int, int]]:
    """When the arm rested at poses other than the one before: begin, after it has swung out, and end [ns].

    `times` (n,) [ns], ascending, `places` (n, joints) [rad].
    """
    found: list[tuple[int, int]] = []
    begin, last = 0, None
    for i in range(1, len(times) + 1):
        if i < len(times) and (np.abs(places[i] - places[begin]) < STILL_RAD).all():
            continue
        new = last is None or np.abs(places[begin] - last).max() > ELSEWHERE_RAD
        if new and times[i - 1] - times[begin] >= REST_S * 1e9:
            found.append((int(times[begin] + REST_S * 1e9 / 2), int(times[i - 1])))
            last = places[begin]
        begin = i
    return found


def _joints(bag: Bag, topic: str, kinematics: Kinematics) -> tuple[np.ndarray, np.ndarray]:
    times, places = [], []
    for message in bag.messages([topic]):
        content = bag.deserialize(message)
        try:
            places.append(read_joints(kinematics, content.name, content.position))
        except JointStateError:  # of a gripper, say
            continue
        times.append(to_ns(content.header.stamp))
    if not times:
        raise StreamError(
            f"expected joint states of {kinematics.robot.name} on {topic}, found none; --joint-topic names another"
        )
    order = np.argsort(times, kind="stable")
    return np.array(times)[order], np.array(places)[order]


def _images(
    bag: Bag,
    topic: str,
    camera: str,
    samples: Samples,
    kinematics: Kinematics,
    times: np.ndarray,
    places: np.ndarray,
    moments: list[tuple[int, int]],
) -> Taken:
    rest, added, twins, known = list(moments), 0, 0, samples.places(camera, kinematics)
    for message in bag.messages([topic]):
        if not rest:
            break
        content = bag.deserialize(message)
        stamp = to_ns(content.header.stamp)
        while rest and rest[0][1] < stamp:
            rest.pop(0)
        if not rest or stamp < rest[0][0]:
            continue
        nearest = int(np.abs(times - stamp).argmin())
        if abs(times[nearest] - stamp) > NEAR_S * 1e9:
            continue
        rest.pop(0)
        if any(np.array_equal(places[nearest], q) for q in known):
            twins += 1
            continue
        samples.add(camera, colour_image(content), dict(zip(kinematics.joint_names, places[nearest], strict=True)))
        added += 1
    return Taken(added, twins)
