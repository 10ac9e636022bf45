"""Messages of a bag -> one checked step, and what an episode must be as a whole. All refusals name bag, topic and time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wm_learning.episode_bag import COLOUR, DEPTH, EXECUTED, INFO, JOINTS, TRUTH, Frame, Step, refusal
from wm_learning.settings import STEP_NS
from wm_perception.images import ImageError, colour_image, depth_image

SHORTEST = 2  # steps of an episode
JITTER = 0.5  # share of a step by which one stamp may be off
DRIFT = 0.1  # share of a step by which the mean step of an episode may be off


def stamp_of(message: Any) -> int:
    """Header stamp in nanoseconds."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def make_step(bag: Path, cameras: list[str], messages: dict[str, Any]) -> Step:
    """The step of the last message per topic; raises BagError for what is missing, mismatched or not finite.

    `cameras`: all of the bag's cameras, each of which must be there. Without a command (video) the motion is NaN.
    """
    stamp_ns = next(stamp_of(message) for topic, message in messages.items() if topic.endswith(COLOUR))
    for camera in cameras:
        for topic in (camera + COLOUR, camera + DEPTH, camera + INFO):
            if topic not in messages:
                raise refusal(bag, topic, stamp_ns, "expected a message in every step, got none; cut the bag before")
    for topic, message in messages.items():
        apart = abs(stamp_of(message) - stamp_ns)
        if topic != EXECUTED and apart > JITTER * STEP_NS:
            raise refusal(
                bag, topic, stamp_ns, f"expected measurements of one instant, got a stamp {apart / 1e6:.0f} ms away"
            )
    frames = {camera: _frame(bag, camera, stamp_ns, messages) for camera in cameras}
    joints, executed, truth = messages[JOINTS], messages.get(EXECUTED), messages.get(TRUTH)
    if len(joints.name) != len(joints.position):
        raise refusal(
            bag, JOINTS, stamp_ns, f"expected {len(joints.name)} positions for its names, got {len(joints.position)}"
        )
    positions = _finite(bag, JOINTS, stamp_ns, joints.position)
    motion, pose = np.full((2, 2), np.nan), None
    if executed is not None:
        points = (executed.ee_start, executed.ee_end)
        motion = _finite(bag, EXECUTED, stamp_ns, [[point.x, point.y] for point in points])
    if truth is not None:
        p, o = truth.pose.position, truth.pose.orientation
        pose = _finite(bag, TRUTH, stamp_ns, [p.x, p.y, p.z, o.x, o.y, o.z, o.w])
        if np.abs(pose[3:]).max() > 2 or abs(np.linalg.norm(pose[3:]) - 1) > 0.01:
            raise refusal(bag, TRUTH, stamp_ns, f"expected a unit quaternion, got {pose[3:].tolist()}")
    return Step(stamp_ns, frames, tuple(joints.name), positions, motion[0], motion[1], pose)


def _finite(bag: Path, topic: str, stamp_ns: int, values: Any) -> np.ndarray:
    array = np.asarray(values, float)
    if not np.isfinite(array).all():
        raise refusal(bag, topic, stamp_ns, f"expected finite numbers, got {array.tolist()}; record it again")
    return array


def _frame(bag: Path, camera: str, stamp_ns: int, messages: dict[str, Any]) -> Frame:
    image, depth, info = (messages[camera + topic] for topic in (COLOUR, DEPTH, INFO))
    topic = camera + COLOUR
    try:
        rgb = colour_image(image)
        topic = camera + DEPTH
        metres = depth_image(depth).depth
    except ImageError as error:
        raise refusal(bag, topic, stamp_ns, str(error)) from error
    sizes = {camera + DEPTH: metres.shape, camera + INFO: (info.height, info.width)}
    for topic, size in sizes.items():
        if size != rgb.shape[:2]:
            raise refusal(
                bag,
                topic,
                stamp_ns,
                f"expected the colour image's {rgb.shape[1]} x {rgb.shape[0]}, got {size[1]} x {size[0]};"
                " record depth aligned to colour and the colour camera's info",
            )
    K = _finite(bag, camera + INFO, stamp_ns, info.k).reshape(3, 3)
    if not (K[0, 0] > 0 and K[1, 1] > 0):
        raise refusal(
            bag, camera + INFO, stamp_ns, f"expected focal lengths above 0, got {K[0, 0]}, {K[1, 1]}; calibrate it"
        )
    return Frame(rgb, metres, K)


@dataclass
class EpisodeCheck:
    """What must hold over the steps of one episode; `topic`: what announced it."""

    bag: Path
    topic: str
    stamp_ns: int
    steps: int = 0
    last_ns: int = 0
    first_ns: int = 0
    blind: set[str] = field(default_factory=set)  # cameras whose depth had no reading yet

    def add(self, step: Step) -> None:
        """Take one step; raises BagError when it does not follow the last."""
        if self.steps == 0:
            self.first_ns, self.blind = step.stamp_ns, set(step.frames)
        else:
            self._follows(step)
        self.blind -= {camera for camera in self.blind if step.frames[camera].depth.any()}
        self.steps, self.last_ns = self.steps + 1, step.stamp_ns

    def _follows(self, step: Step) -> None:
        interval, topic = step.stamp_ns - self.last_ns, next(iter(step.frames)) + COLOUR
        if interval <= 0:
            raise refusal(
                self.bag, topic, step.stamp_ns, f"expected rising stamps, the one before is {self.last_ns} ns"
            )
        if abs(interval - STEP_NS) > JITTER * STEP_NS:
            raise refusal(
                self.bag,
                topic,
                step.stamp_ns,
                f"expected a step every {STEP_NS / 1e6:.0f} ms, the model's, got {interval / 1e6:.0f} ms since the last;"
                " cut the episode there or record at that rate",
            )

    def end(self) -> None:
        """The episode is over; raises BagError when it is too short, too slow or blind."""
        if self.steps < SHORTEST:
            raise refusal(
                self.bag,
                self.topic,
                self.stamp_ns,
                f"expected an episode of at least {SHORTEST} steps (images, joints, command), got {self.steps};"
                " cut it out or record it again",
            )
        mean = (self.last_ns - self.first_ns) / (self.steps - 1)
        if abs(mean - STEP_NS) > DRIFT * STEP_NS:
            raise refusal(
                self.bag,
                self.topic,
                self.stamp_ns,
                f"expected steps of {STEP_NS / 1e6:.0f} ms, the model's, got {mean / 1e6:.1f} ms on average",
            )
        for camera in sorted(self.blind):
            raise refusal(
                self.bag,
                camera + DEPTH,
                self.first_ns,
                f"expected depth, got no reading in all {self.steps} steps of the episode; check the camera",
            )
