"""Faults of what cameras send that can be planted into a record, their parameters drawn."""

from dataclasses import replace

import cv2
import numpy as np
from _doctor_plant import camera, fault, image_topic, rewrite, set_fields
from _doctor_records import encoded, image

from wm_bringup.doctor.observed import CameraTopics, Observed
from wm_core.images import colour_image, depth_image
from wm_core.rotations import pose_of

Rng = np.random.Generator


def _paint(observed: Observed, topic: str, change, encoding: str | None = None, depth: bool = False) -> None:
    """Each kept image shows `change` of what it showed, in its encoding or in another."""
    stream = observed.streams[topic]
    for i, (stamp, message) in enumerate(stream.kept):
        pixels = depth_image(message).depth if depth else colour_image(message)
        chosen = encoding or message.encoding
        stream.kept[i] = (stamp, image(encoded(change(pixels), chosen), chosen, message.header.frame_id))


def _info(observed: Observed, chosen: CameraTopics, **fields: object) -> str:
    rewrite(observed.streams[chosen.info], set_fields(**fields))
    return chosen.info


# -- encodings and units -------------------------------------------------------------------------------------------------


@fault("colour_encoding", "rgb8")
def unknown_colours(observed: Observed, rng: Rng) -> str:
    topic, encoding = camera(observed, rng).colour, str(rng.choice(["nv12", "h264", "rgb16", "8UC3"]))
    rewrite(observed.streams[topic], set_fields(encoding=encoding))
    return topic


@fault("colour_encoding", "colour camera's topic")
def infrared_for_colour(observed: Observed, rng: Rng) -> str:
    topic, stream = (chosen := camera(observed, rng)).colour, observed.streams[chosen.colour]
    encoding = str(rng.choice(["mono8", "mono16"]))
    for i, (stamp, message) in enumerate(stream.kept):
        grey = colour_image(message).mean(2).astype(np.uint8 if encoding == "mono8" else np.uint16)
        stream.kept[i] = (stamp, image(grey, encoding, message.header.frame_id))
    return topic


@fault("depth_encoding", "16UC1")
def unknown_depth(observed: Observed, rng: Rng) -> str:
    topic, encoding = camera(observed, rng).depth, str(rng.choice(["mono16", "rgb8", "64FC1", "16SC1"]))
    rewrite(observed.streams[topic], set_fields(encoding=encoding))
    return topic


@fault("depth_unit", "depth_unit")
def tenths_of_millimetres(observed: Observed, rng: Rng) -> str:
    topic, factor = camera(observed, rng).depth, float(rng.choice([4, 8, 10]))
    _paint(observed, topic, lambda depth: np.minimum(factor * depth, 65.0), "16UC1", depth=True)
    return topic


@fault("depth_unit", "depth_unit")
def millimetres_as_float(observed: Observed, rng: Rng) -> str:
    topic = camera(observed, rng).depth
    _paint(observed, topic, lambda depth: 1000 * depth, "32FC1", depth=True)
    return topic


# -- intrinsics ----------------------------------------------------------------------------------------------------------


@fault("intrinsics", "calibrate the camera")
def not_calibrated(observed: Observed, rng: Rng) -> str:
    return _info(observed, camera(observed, rng), k=np.zeros(9), p=np.zeros(12))


@fault("intrinsics", "in the resolution that it streams")
def info_of_another_size(observed: Observed, rng: Rng) -> str:
    width, height = ((1920, 1280), (640, 400), (512, 424))[int(rng.integers(3))]
    return _info(observed, camera(observed, rng), width=width, height=height)


@fault("intrinsics", "image_rect")
def unknown_distortion(observed: Observed, rng: Rng) -> str:
    model, count = (("fov", 1), ("double_sphere", 2), ("plumb_bob", 7))[int(rng.integers(3))]
    topics = tuple(replace(each, colour=each.colour) for each in observed.setup.cameras)
    chosen = topics[int(rng.integers(len(topics)))]
    _raw(observed, chosen)
    return _info(observed, chosen, distortion_model=model, d=rng.uniform(0.01, 0.2, count).tolist())


@fault("intrinsics", "calibrate the camera")
def distortion_not_a_number(observed: Observed, rng: Rng) -> str:
    chosen = camera(observed, rng)
    _raw(observed, chosen)
    return _info(observed, chosen, d=[float("nan")] * 5)


def _raw(observed: Observed, chosen: CameraTopics) -> None:
    """Distortion matters in images that are not rectified: colour comes on a topic of such a name."""
    raw = chosen.colour.replace("rect", "raw")
    if raw == chosen.colour:
        return
    observed.streams[raw] = replace(observed.streams.pop(chosen.colour), topic=raw)
    observed.endpoints = [replace(e, topic=raw) if e.topic == chosen.colour else e for e in observed.endpoints]
    cameras = tuple(replace(c, colour=raw) if c == chosen else c for c in observed.setup.cameras)
    observed.setup = replace(observed.setup, cameras=cameras)


@fault("intrinsics", "calibrate")
def lens_of_another_camera(observed: Observed, rng: Rng) -> str:
    chosen = camera(observed, rng)
    info, factor = (
        observed.streams[chosen.info].newest,
        float(rng.choice([rng.uniform(0.5, 0.85), rng.uniform(1.2, 2)])),
    )
    K, P = info.k.reshape(3, 3).copy(), info.p.reshape(3, 4).copy()
    K[[0, 1], [0, 1]] *= factor
    P[[0, 1], [0, 1]] *= factor
    return _info(observed, chosen, k=K.ravel(), p=P.ravel())


# -- frames and rig ------------------------------------------------------------------------------------------------------


@fault("frame_id", "turn alignment on")
def depth_not_aligned(observed: Observed, rng: Rng) -> str:
    topic = camera(observed, rng).depth
    for _, message in observed.streams[topic].kept:
        message.header.frame_id = "camera_depth_optical_frame"
    return topic


@fault("depth_size", "turn alignment on")
def depth_of_another_size(observed: Observed, rng: Rng) -> str:
    topic, size = camera(observed, rng).depth, ((848, 480), (320, 288), (512, 512))[int(rng.integers(3))]
    _paint(observed, topic, lambda depth: cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST), depth=True)
    return topic


@fault("frame_id", "camera_info of the colour camera")
def info_of_the_infrared_camera(observed: Observed, rng: Rng) -> str:
    chosen = camera(observed, rng)
    for _, message in observed.streams[chosen.info].kept:
        message.header.frame_id = "camera_infra1_optical_frame"
    return chosen.info


def _rig(observed: Observed, name: str, turn: np.ndarray, shift: np.ndarray) -> str:
    """The rig says that a camera stands elsewhere than it does."""
    cameras = []
    for each in observed.setup.rig.cameras:
        if each.name == name:
            rotation = cv2.Rodrigues(turn)[0] @ each.T_table_optical[:3, :3]
            each = replace(each, T_table_optical=pose_of(rotation, each.T_table_optical[:3, 3] + shift))
        cameras.append(each)
    observed.setup = replace(observed.setup, rig=replace(observed.setup.rig, cameras=tuple(cameras)))
    return name


@fault("rig", "calibrate-cameras")
def bumped_camera(observed: Observed, rng: Rng) -> str:
    """Turned about a horizontal axis: the table shows that."""
    about = rng.uniform(0, 2 * np.pi)
    turn = np.radians(rng.uniform(1.5, 3)) * np.array([np.cos(about), np.sin(about), 0])
    return _rig(observed, camera(observed, rng).name, turn, rng.uniform(-0.005, 0.005, 3))


@fault("rig", "calibrate-cameras")
def camera_elsewhere(observed: Observed, rng: Rng) -> str:
    shift = np.array([0, 0, rng.uniform(0.08, 0.2) * rng.choice([-1, 1])])
    return _rig(observed, camera(observed, rng).name, np.zeros(3), shift)


# -- pictures ------------------------------------------------------------------------------------------------------------


@fault("frozen", "restart it")
def frozen_images(observed: Observed, rng: Rng) -> str:
    topic = image_topic(observed, rng)
    stream, begin = observed.streams[topic], rng.uniform(0, 6)
    first = next(i for i, at in enumerate(stream.arrivals) if at >= begin)
    digest = stream.heard[first].digest
    stream.heard = [replace(each, digest=digest) if i >= first else each for i, each in enumerate(stream.heard)]
    return topic


@fault("dark", "cap")
def black_images(observed: Observed, rng: Rng) -> str:
    topic, level = camera(observed, rng).colour, rng.uniform(0, 0.07)
    _paint(observed, topic, lambda rgb: (level * rgb).astype(np.uint8))
    return topic


@fault("bright", "expose shorter")
def white_images(observed: Observed, rng: Rng) -> str:
    topic, low = camera(observed, rng).colour, int(rng.integers(247, 256))
    _paint(observed, topic, lambda rgb: np.maximum(rgb, low).astype(np.uint8))
    return topic


@fault("flat", "uncover")
def covered_lens(observed: Observed, rng: Rng) -> str:
    topic, grey = camera(observed, rng).colour, int(rng.integers(20, 235))
    _paint(observed, topic, lambda rgb: rng.integers(grey - 2, grey + 3, rgb.shape).astype(np.uint8))
    return topic


@fault("no_depth", "covered")
def no_depth(observed: Observed, rng: Rng) -> str:
    topic, share = camera(observed, rng).depth, rng.uniform(0, 0.15)
    _paint(observed, topic, lambda depth: depth * (rng.uniform(size=depth.shape) < share), depth=True)
    return topic


@fault("covered", "clear its view")
def hand_before_the_lens(observed: Observed, rng: Rng) -> str:
    topic, near = camera(observed, rng).depth, rng.uniform(0.03, 0.06)
    _paint(observed, topic, lambda depth: near + rng.uniform(0, 0.01, depth.shape), depth=True)
    return topic


@fault("red_and_blue", "exchanged")
def red_for_blue(observed: Observed, rng: Rng) -> str:
    tint = np.array([rng.uniform(1.2, 1.5), 1.0, rng.uniform(0.6, 0.8)])
    for each in observed.setup.cameras:
        _paint(observed, each.colour, lambda rgb: np.clip(tint * rgb, 0, 255).astype(np.uint8))
    topic = camera(observed, rng).colour
    _paint(observed, topic, lambda rgb: rgb[..., ::-1])
    return topic
