"""What images are made of: encodings, units, intrinsics, sizes and frames, by the code that perception reads them with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_bringup.doctor.finding import ERROR, WARNING, Finding, from_error
from wm_bringup.doctor.observed import CameraTopics, Observed
from wm_core.camera_model import Lens, Rectified, lenses_of, matrix_of, rectified_of, same_size
from wm_core.images import ImageError, colour_image, depth_image
from wm_core.rig import Camera
from wm_perception.camera_input import ALIGN, CameraInput

NARROWEST, WIDEST = 5.0, 170.0  # [degrees] of a lens
FOCAL = 0.1  # share by which the focal length may differ from the rig's
FARTHEST = 20.0  # [m] that depth is of, where no table is in sight to compare with
NEAREST = 0.05
DEPTH_UNIT = "set its depth format to 16UC1 in mm or 32FC1 in m (REP-118), or write depth_unit for '{}' into the rig"


@dataclass(frozen=True)
class Seen:
    """The newest messages of a camera; None where none came."""

    topics: CameraTopics
    camera: Camera
    colour: Any
    depth: Any
    info: Any
    rectified: Rectified


def seen(observed: Observed) -> Iterator[Seen]:
    for topics, camera in observed.cameras():
        colour, depth, info = (observed.stream(topic).newest for topic in (topics.colour, topics.depth, topics.info))
        rectified = rectified_of(observed.setup.rectified, topics.colour, topics.depth)
        yield Seen(topics, camera, colour, depth, info, rectified)


def encodings(observed: Observed) -> Iterator[Finding]:
    """Images that cannot be read, or are of something else."""
    for each in seen(observed):
        if each.colour is not None:
            yield from _colour_encoding(each)
        if each.depth is not None:
            try:
                depth_image(each.depth)
            except ImageError as error:
                remedy = "set the driver's depth format to 16UC1 (mm) or 32FC1 (m), or take another depth_topic"
                yield from_error(ERROR, "depth_encoding", each.topics.depth, error, remedy)


def intrinsics(observed: Observed) -> Iterator[Finding]:
    """camera_info that is not calibrated, of another size, of an unknown lens, or unlike the rig's camera."""
    for each in seen(observed):
        if each.info is None or each.colour is None:
            continue
        try:
            matrix_of(each.info, each.rectified.colour)
            lens = _lens(each)
        except ImageError as error:
            yield from_error(ERROR, "intrinsics", each.topics.info, error, "calibrate the camera")
            continue
        yield from _unlikely_lens(each, lens)


def frames(observed: Observed) -> Iterator[Finding]:
    """Colour, depth and camera_info of different frames or sizes: depth is not aligned to colour."""
    for each in seen(observed):
        if each.colour is None:
            continue
        frame, size = each.colour.header.frame_id, (each.colour.width, each.colour.height)
        if not frame:
            remedy = "set the driver's frame name, as camera_color_optical_frame"
            yield Finding(WARNING, "frame_id", each.topics.colour, "a frame_id", "an empty one", remedy)
        if each.info is not None and frame and each.info.header.frame_id not in ("", frame):
            yield Finding(
                ERROR,
                "frame_id",
                each.topics.info,
                f"camera_info in the colour image's frame '{frame}'",
                f"frame_id '{each.info.header.frame_id}'",
                "take the camera_info of the colour camera",
            )
        if each.depth is None:
            continue
        other = each.depth.header.frame_id
        if frame and other and other != frame and not observed.setup.aligned_depth:
            yield Finding(
                ERROR,
                "frame_id",
                each.topics.depth,
                f"depth in the colour image's frame '{frame}'",
                f"frame_id '{other}'",
                f"{ALIGN}; or set aligned_depth of wm_perception, if it is aligned nevertheless",
            )
        if (each.depth.width, each.depth.height) != size:
            found = f"{each.depth.width} x {each.depth.height}"
            wanted = f"depth of the colour image's size, {size[0]} x {size[1]}"
            yield Finding(ERROR, "depth_size", each.topics.depth, wanted, found, ALIGN)


def units(observed: Observed) -> Iterator[Finding]:
    """Depth that is a multiple of what the table's would be; where no table is in sight, of what a room has."""
    for each in seen(observed):
        if (found := implausible_depth(each)) is not None:
            yield found


def implausible_depth(each: Seen) -> Finding | None:
    """Why a camera's depth cannot be right; None when it can, or cannot be read."""
    if each.colour is None or each.depth is None:
        return None
    try:
        read = depth_input(each)
        depth = read.depth(each.depth).depth
        read.depth_alone(each.depth)
    except ValueError:  # the other checks say why
        return None
    if read.implausible:
        check = "camera_pose" if "pose" in read.implausible else "depth_unit"
        return from_error(ERROR, check, each.topics.depth, ValueError(read.implausible))
    middle = float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0
    if NEAREST < middle < FARTHEST:
        return None
    wanted, found = f"depth between {NEAREST:g} and {FARTHEST:g} m", f"{middle:.3g} m (median)"
    return Finding(ERROR, "depth_unit", each.topics.depth, wanted, found, DEPTH_UNIT.format(each.camera.name))


def depth_input(each: Seen) -> CameraInput:
    """What reads a camera's depth as perception does, wherever its frame_id says that it is from; raises ImageError."""
    read = CameraInput(each.camera, each.rectified, aligned=True)
    if each.info is not None:
        read.info(each.info)
    return read


# -- inside --------------------------------------------------------------------------------------------------------------


def _colour_encoding(each: Seen) -> Iterator[Finding]:
    topic, encoding = each.topics.colour, each.colour.encoding
    if encoding in ("16UC1", "32FC1", "mono16", "16SC1"):
        found = f"encoding '{encoding}': depth or infrared"
        yield Finding(
            ERROR, "colour_encoding", topic, "colour images", found, "set colour_topic to the colour camera's topic"
        )
        return
    try:
        colour_image(each.colour)
    except ImageError as error:
        yield from_error(
            ERROR, "colour_encoding", topic, error, "set the driver's colour format to rgb8, or convert with image_proc"
        )
        return
    if encoding == "mono8":
        remedy = "take the colour camera's topic, not the infrared one: what is learned from colour is lost in grey"
        yield Finding(WARNING, "colour_encoding", topic, "colour images", "encoding 'mono8': grey", remedy)


def _lens(each: Seen) -> Lens:
    return lenses_of(each.info, each.colour.width, each.colour.height, each.rectified).colour


def _unlikely_lens(each: Seen, lens: Lens) -> Iterator[Finding]:
    width, height, K = each.colour.width, each.colour.height, lens.K
    view = float(np.degrees(2 * np.arctan(height / (2 * K[1, 1]))))
    if not NARROWEST < view < WIDEST or not (0 < K[0, 2] < width and 0 < K[1, 2] < height):
        found = f"{view:.0f} degrees high, its axis through pixel ({K[0, 2]:.0f}, {K[1, 2]:.0f}) of {width} x {height}"
        remedy = "camera_info is of another camera or in other units: calibrate it (./wm calibrate-cameras)"
        yield Finding(ERROR, "intrinsics", each.topics.info, "a lens whose axis is in its image", found, remedy)
        return
    try:
        of_rig = same_size(each.camera.K, (each.camera.width, each.camera.height), width, height)
    except ImageError:  # of another shape: the rig's intrinsics are not used beside a camera_info
        return
    if abs(K[1, 1] / of_rig[1, 1] - 1) > FOCAL:
        yield Finding(
            WARNING,
            "intrinsics",
            each.topics.info,
            f"a focal length about the rig's, {of_rig[1, 1]:.0f} px",
            f"{K[1, 1]:.0f} px",
            f"is '{each.camera.name}' another camera than the rig was written for? Calibrate it: ./wm calibrate-cameras",
        )
