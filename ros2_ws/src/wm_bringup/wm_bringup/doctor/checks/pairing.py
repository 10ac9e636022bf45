"""Whether colour and depth of a camera, and the cameras, can be put together by their stamps, with what perception does."""

from collections.abc import Iterator, Sequence

import numpy as np

from wm_bringup.doctor.finding import ERROR, WARNING, Finding
from wm_bringup.doctor.observed import CameraTopics, Observed, Stream
from wm_core.clock_offset import NS_PER_S
from wm_perception.sync import StampPairing

ENOUGH = 0.8  # share of frames that find their partner
FEWEST = 10


def stamps(observed: Observed) -> Iterator[Finding]:
    """Of each camera alone, and of all of them where each alone is well."""
    chosen = list(observed.setup.cameras)
    alone = [_paired(observed, [camera]) for camera in chosen]
    for camera, share in zip(chosen, alone, strict=True):
        if share is not None and share < ENOUGH:
            yield from _unpaired(observed, camera, share)
    if len(chosen) < 2 or any(share is None or share < ENOUGH for share in alone):
        return
    share = _paired(observed, chosen)
    if share is not None and share < ENOUGH:
        yield Finding(
            WARNING,
            "cameras_apart",
            ", ".join(camera.name for camera in chosen),
            f"images within {1e3 * observed.setup.sync_tolerance:.0f} ms of each other",
            f"all cameras in {100 * share:.0f} % of the instants",
            "trigger them together (hardware synchronisation), run them at 30 Hz or more, or raise sync_tolerance of wm_perception",
        )


def _unpaired(observed: Observed, camera: CameraTopics, share: float) -> Iterator[Finding]:
    colour, depth = observed.stream(camera.colour), observed.stream(camera.depth)
    if _period(colour) == 0 or _period(depth) == 0:  # stamps stand still, which another check says
        return
    tolerance, apart = 1e3 * observed.setup.sync_tolerance, 1e3 * _apart(colour, depth)
    remedy = (
        "start both streams at one rate with their stamps synchronised (realsense2_camera: enable_sync:=true; orbbec_camera:"
        " enable_frame_sync:=true; azure kinect: synchronized_images_only)"
    )
    if tolerance < apart < 0.5 * 1e3 * min(_period(colour), _period(depth)):
        remedy += f", or set sync_tolerance of wm_perception to {apart / 1e3 + 0.005:.3f}"
    yield Finding(
        ERROR,
        "pairing",
        camera.name,
        f"depth within {tolerance:.0f} ms of each colour image",
        f"{100 * share:.0f} % of the frames find their partner; stamps are {apart:.0f} ms apart (median)",
        remedy,
    )


def _paired(observed: Observed, chosen: Sequence[CameraTopics]) -> float | None:
    """Share of the frames of the slowest stream that are complete; None without enough of them."""
    setup = observed.setup
    pairing = StampPairing(
        [camera.name for camera in chosen],
        round(setup.sync_tolerance * NS_PER_S),
        round(setup.sync_timeout * NS_PER_S),
    )
    events = []
    for camera in chosen:
        events += [(each, pairing.colour, camera.name) for each in observed.stream(camera.colour).heard]
        events += [(each, pairing.depth, camera.name) for each in observed.stream(camera.depth).heard]
    streams = [observed.stream(topic) for camera in chosen for topic in (camera.colour, camera.depth)]
    fewest = min(len({each.stamp_ns for each in stream.heard}) for stream in streams)
    if fewest < FEWEST:
        return None
    for each, add, name in sorted(events, key=lambda event: event[0].arrival_ns):
        add(name, each.stamp_ns, each)
    return pairing.counts["complete"] / fewest


def _period(stream: Stream) -> float:
    return float(np.median(np.diff(stream.stamps)))


def _apart(colour: Stream, depth: Stream) -> float:
    """[s] between a colour image and the depth nearest to it, median."""
    ours = np.array([each.stamp_ns for each in colour.heard])
    theirs = np.sort([each.stamp_ns for each in depth.heard])
    at = np.clip(np.searchsorted(theirs, ours), 1, len(theirs) - 1)
    return float(np.median(np.minimum(np.abs(theirs[at] - ours), np.abs(theirs[at - 1] - ours)))) / NS_PER_S
