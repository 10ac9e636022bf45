"""Messages of a bag -> one checked step, and what an episode must be as a whole. All refusals name bag, topic and time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.frames import Step, finite, make_frame, object_pose, refusal
from wm_bags.steps.profile import CameraTopics
from wm_bags.steps.stepping import SHORTEST
from wm_data.episode_bag import COLOUR, DEPTH, EXECUTED, INFO, JOINTS, TRUTH
from wm_tasks.settings import STEP_NS

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
    frames = {}
    for camera in cameras:
        topics = CameraTopics(camera + COLOUR, camera + DEPTH, camera + INFO)
        images = (messages[topics.color], messages[topics.depth], messages[topics.info])
        frames[camera] = make_frame(bag, topics, stamp_ns, images)
    joints, executed, truth = messages[JOINTS], messages.get(EXECUTED), messages.get(TRUTH)
    if len(joints.name) != len(joints.position):
        raise refusal(
            bag, JOINTS, stamp_ns, f"expected {len(joints.name)} positions for its names, got {len(joints.position)}"
        )
    positions = finite(bag, JOINTS, stamp_ns, joints.position)
    motion = np.full((2, 2), np.nan)
    if executed is not None:
        points = (executed.ee_start, executed.ee_end)
        motion = finite(bag, EXECUTED, stamp_ns, [[point.x, point.y] for point in points])
    pose = None if truth is None else object_pose(bag, TRUTH, stamp_ns, truth)
    return Step(stamp_ns, frames, tuple(joints.name), positions, motion[0], motion[1], pose)


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
