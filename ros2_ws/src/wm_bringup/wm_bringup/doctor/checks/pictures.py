"""What images show: nothing, too much light, something before the lens, the same for ever, red for blue."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from wm_bringup.doctor.checks.cameras import seen
from wm_bringup.doctor.finding import ERROR, NOTE, WARNING, Finding
from wm_bringup.doctor.observed import Observed, Stream
from wm_core.images import ImageError, colour_image, depth_image
from wm_core.joint_states import JointStateError, read_joints

EVERY = 4  # rows and columns that are looked at
DARK, BRIGHT = 12.0, 245.0  # of 255, mean
FLAT = 3.0  # standard deviation of an image of nothing
FEWEST_READINGS = 0.2  # share of pixels with depth
CLOSE = 0.5  # share of readings nearer than the camera can be to anything
REPEATS, REPEATS_S = 10, 1.0  # one image, again and again
MOVED = 0.02  # [rad] of a joint: then what the cameras see has changed
TINT = 0.1  # (red - blue) / (red + blue), mean of an image


def colour(observed: Observed) -> Iterator[Finding]:
    """Black, white and flat images."""
    for each in seen(observed):
        pixels = _colour(each.colour)
        if pixels is None:
            continue
        mean, spread = float(pixels.mean()), float(pixels.std())
        if mean < DARK:
            remedy = "take the cap off, switch the light on, or let the driver expose longer (auto exposure on)"
            yield Finding(ERROR, "dark", each.topics.colour, "a picture", f"black (mean {mean:.0f} of 255)", remedy)
        elif mean > BRIGHT:
            remedy = "expose shorter (auto exposure on), or dim the light; does a lamp shine into the lens?"
            yield Finding(ERROR, "bright", each.topics.colour, "a picture", f"white (mean {mean:.0f} of 255)", remedy)
        elif spread < FLAT:
            remedy = "is something before the lens, or out of focus? Uncover it; does the driver send a test image?"
            found = f"one colour (standard deviation {spread:.1f} of 255)"
            yield Finding(ERROR, "flat", each.topics.colour, "a picture", found, remedy)


def depth(observed: Observed) -> Iterator[Finding]:
    """Depth without readings, or of something right before the camera."""
    for each in seen(observed):
        try:
            image = depth_image(each.depth, each.camera.depth_unit).depth[::EVERY, ::EVERY] if each.depth else None
        except ImageError:
            image = None
        if image is None:
            continue
        share = float((image > 0).mean())
        if share < FEWEST_READINGS:
            yield Finding(
                ERROR,
                "no_depth",
                each.topics.depth,
                f"readings in {100 * FEWEST_READINGS:.0f} % of the pixels and more",
                f"in {100 * share:.0f} %",
                "is the lens or the infrared projector covered or off, the scene nearer than the sensor can see, or in the sun?",
            )
            continue
        near = float((image[image > 0] < 0.5 * each.camera.near).mean())
        if near > CLOSE and float(np.median(image[image > 0])) > 0.02:  # nearer still: in another unit
            found = f"{100 * near:.0f} % of the readings nearer than {0.5 * each.camera.near:.2f} m"
            remedy = "something hangs before the camera: clear its view; or its depth unit is another (depth_unit in the rig)"
            yield Finding(ERROR, "covered", each.topics.depth, "a view of the table", found, remedy)


def frozen(observed: Observed) -> Iterator[Finding]:
    """The same image again and again; a note where nothing moved that it could have shown."""
    for topics, _ in observed.cameras():
        for topic in (topics.colour, topics.depth):
            span = _longest_repeat(observed.stream(topic))
            if span is None:
                continue
            begin, end, count = span
            moved = _moved(observed, begin, end)
            found = f"the same one {count} times, {(end - begin) / 1e9:.1f} s long"
            if moved > MOVED:
                remedy = "the driver hangs: restart it, plug the camera in again; look for USB errors in dmesg"
                yield Finding(ERROR, "frozen", topic, "other images while the arm moves", found, remedy)
            else:
                remedy = (
                    "a real camera's images have noise: move something before it, and see whether the picture follows"
                )
                yield Finding(NOTE, "frozen", topic, "images that differ", f"{found}, of an arm at rest", remedy)


def swapped(observed: Observed) -> Iterator[Finding]:
    """Two cameras see the same table, one of them red where the other is blue."""
    tints = {}
    for each in seen(observed):
        pixels = _colour(each.colour)
        if pixels is not None:
            red, blue = pixels[..., 0].mean(), pixels[..., 2].mean()
            tints[each.topics.colour] = (red - blue) / max(1.0, red + blue)
    for topic, tint in tints.items():
        others = [other for name, other in tints.items() if name != topic]
        if others and tint < -TINT and max(others) > TINT:
            yield Finding(
                WARNING,
                "red_and_blue",
                topic,
                "about the colours of the other cameras",
                "blue where these are red",
                "red and blue are exchanged in one of them: its driver says rgb8 and sends bgr8, or the other way round;"
                " correct the encoding there",
            )


def _colour(message: object) -> np.ndarray | None:
    try:
        return None if message is None else colour_image(message)[::EVERY, ::EVERY].astype(np.float32)
    except ImageError:
        return None


def _longest_repeat(stream: Stream) -> tuple[int, int, int] | None:
    """Begin and end [ns, arrival] and count of the longest run of one image under different stamps, if it is long."""
    longest, run = None, 0
    for i, each in enumerate(stream.heard):
        before = stream.heard[i - 1]
        run = run + 1 if i and each.digest == before.digest and each.stamp_ns != before.stamp_ns else 1
        begin = stream.heard[i - run + 1].arrival_ns
        if run >= REPEATS and each.arrival_ns - begin >= REPEATS_S * 1e9 and (longest is None or run > longest[2]):
            longest = (begin, each.arrival_ns, run)
    return longest


def _moved(observed: Observed, begin_ns: int, end_ns: int) -> float:
    """[rad] that a joint moved meanwhile, the one that moved most."""
    arm, places = observed.arm, []
    for each, (_, message) in zip(arm.heard, arm.kept, strict=False):
        if begin_ns <= each.arrival_ns <= end_ns:
            with suppress(JointStateError):  # another check says why
                places.append(read_joints(observed.setup.kinematics, message.name, message.position))
    return float(np.ptp(np.array(places), axis=0).max()) if len(places) > 1 else 0.0
