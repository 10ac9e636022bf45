"""The strict reading of wm's own bags: what `BagCheck` would cut out is raised, with bag, topic and time."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.check import REACH, STEP_NS, BagCheck
from wm_bags.steps.episodes import Episode
from wm_bags.steps.frames import Step, refusal
from wm_bags.steps.motion import tool_motion
from wm_bags.steps.profile import Profile
from wm_bags.steps.reader import OUTSIDE, SHORTEST
from wm_bags.steps.sync import JITTER, Cut
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.kinematics import Kinematics

DRIFT = 0.1  # share of a step by which the mean step of an episode may be off
IMAGES = ("colour", "depth")  # last words of the roles of images


def strict_steps(
    path: Path, profile: Profile, kinematics: Kinematics, reach: float = REACH
) -> Iterator[tuple[Episode, Step]]:
    """All steps of a bag in order, each with its episode; raises BagError at the first fault.

    `reach`: [m] that the tool may be commanded to move in a step that is as long as it may be.
    """
    if path.is_file():
        raise BagError(f"{path}: expected a rosbag2 folder, got a file")
    with Bag(path) as bag:
        yield from StrictCheck(path, profile).steps_of(bag, kinematics, reach=reach)


class StrictCheck(BagCheck):
    """A check that refuses what `BagCheck` cuts, and what it puts up with: a bag that is not whole, images of one stamp that differ,
    a camera without depth, episodes without steps."""

    def __init__(self, bag: Path, profile: Profile) -> None:
        super().__init__(bag, profile)
        self._reach = 0.0
        self._spans: list[list[int]] = []  # [begin, end] of the announced episodes [ns]; end -1: not over
        self._open = False  # an episode was announced and is not over
        self._newest: dict[str, int] = {}  # stamp [ns] of the last image by topic, in this episode
        self._first: list[int] = []  # stamp [ns] of the first step of each episode
        self._of_episode = 0  # steps of the last episode
        self._last_ns = 0  # stamp of the last step
        self._blind: set[str] = set()  # cameras whose depth had no reading yet in this episode
        self._short: Cut | None = None  # waits for what ended the episode

    def steps_of(
        self, bag: Bag, kinematics: Kinematics, step_ns: int = STEP_NS, reach: float = REACH, everything: bool = False
    ) -> Iterator[tuple[Episode, Step]]:
        """The bag's steps; raises BagError at the first fault."""
        self._reach = reach
        self._refuse_if_helped(bag)
        yield from super().steps_of(bag, kinematics, step_ns, reach, everything)
        self._refuse_if_helped(bag)
        self._end_episode()
        if self.profile.episodes:
            self._refuse_empty_episodes(self.profile.episodes)
        if not self.steps:
            raise BagError(self.why_nothing())
        self._refuse_unpaired_images()

    def _refuse_if_helped(self, bag: Bag) -> None:
        if not bag.whole:
            raise BagError(
                f"{self.bag}: expected a whole recording with metadata.yaml, got: {'; '.join(bag.notes)};"
                " mend it: ./wm bag repair, or record it again"
            )

    # -- messages ------------------------------------------------------------------------------------------------

    def _watch(self, message: Any, content: Any = None) -> None:
        super()._watch(message, content)
        role = self.topics[message.topic].role.split(" ")[-1]
        if content is None and role in IMAGES and (self._open or not self.profile.episodes):
            self._image(message.topic)
        elif content is not None and role == "episodes":
            self._announced(content, self.topics[message.topic].stamps[-1])
        elif content is not None and role == "motion" and self.profile.source == "executed":
            self._command(message.topic, content, self.topics[message.topic].stamps[-1])

    def _image(self, topic: str) -> None:
        """Stamps must rise; only the same image may come again."""
        stats = self.topics[topic]
        stamp_ns, newest = stats.stamps[-1], self._newest.get(topic)
        if newest is not None and (stamp_ns < newest or (stamp_ns == newest and not stats.repeats)):
            raise refusal(self.bag, topic, stamp_ns, f"expected rising stamps, the one before is {newest} ns")
        self._newest[topic] = stamp_ns

    def _announced(self, event: Any, stamp_ns: int) -> None:
        self._open = event.event == event.BEGIN
        if self._spans and self._spans[-1][1] < 0:
            self._spans[-1][1] = stamp_ns - self._open
        if self._open:
            self._spans.append([stamp_ns, -1])
            self._newest = {}

    def _command(self, topic: str, command: Any, stamp_ns: int) -> None:
        start, end = (tool.xy for tool in tool_motion(command))
        if self._open and np.linalg.norm(end - start) > self._reach:
            raise refusal(
                self.bag,
                topic,
                stamp_ns,
                f"expected a motion of at most {self._reach / (1 + JITTER):g} m in a step, got {start} to {end}",
            )

    # -- steps and cuts --------------------------------------------------------------------------------------------

    def _noted(self, found: Iterator[tuple[Episode, Step] | Cut]) -> Iterator[tuple[Episode, Step]]:
        for episode, step in super()._noted(found):
            self._refuse_short()
            if episode.index == len(self._first):
                self._end_episode()
                self._first.append(step.stamp_ns)
                self._of_episode, self._blind = 0, set(step.frames)
            self._blind -= {camera for camera in self._blind if step.frames[camera].depth.any()}
            self._of_episode, self._last_ns = self._of_episode + 1, step.stamp_ns
            yield episode, step

    def _cut(self, cut: Cut) -> None:
        if cut.kind == "too short":
            self._short = cut
        elif self._tolerated(cut):
            self._refuse_short()
        else:
            late = cut.kind in ("gap", "clock jump")
            if cut.kind == "gap" and self._first and cut.to_ns - self._last_ns <= (1 + JITTER) * self.step_ns:
                self._refuse_mean(cut.topic, cut.to_ns, (cut.to_ns - self._first[-1]) / self._of_episode)
            raise BagError(cut.message(self.bag, cut.to_ns if late else cut.from_ns))

    def _tolerated(self, cut: Cut) -> bool:
        """Whether nothing of an episode is lost by a cut."""
        if cut.kind == OUTSIDE:
            return True
        if cut.kind == "gap" and not self.profile.episodes:  # of video: another episode begins
            return cut.to_ns - self._last_ns > (1 + JITTER) * self.step_ns
        if cut.kind == "clock jump" and self.profile.episodes:  # between two episodes
            return not self._open or not self._newest or cut.topic == self.profile.episodes
        # What is commanded after an episode, such as the way home, is none of its motions.
        return cut.topic == self.profile.motion and any(b <= cut.from_ns <= e < cut.to_ns for b, e in self._spans)

    def _refuse_short(self) -> None:
        if self._short is not None:
            raise BagError(self._short.message(self.bag, self._short.from_ns))

    # -- episodes --------------------------------------------------------------------------------------------------

    def _end_episode(self) -> None:
        """The last episode is over; raises BagError when it was too slow or blind."""
        self._refuse_short()
        if not self._first:
            return
        topic = next(iter(self.profile.cameras.values())).color
        if self._of_episode > 1:
            self._refuse_mean(topic, self._last_ns, (self._last_ns - self._first[-1]) / (self._of_episode - 1))
        for camera in sorted(self._blind):
            raise refusal(
                self.bag,
                self.profile.cameras[camera].depth,
                self._first[-1],
                f"expected depth, got no reading in all {self._of_episode} steps of the episode; check the camera",
            )

    def _refuse_mean(self, topic: str, stamp_ns: int, mean_ns: float) -> None:
        if abs(mean_ns - self.step_ns) > DRIFT * self.step_ns:
            raise refusal(
                self.bag,
                topic,
                stamp_ns,
                f"expected steps of {self.step_ns / 1e6:.0f} ms, the model's, got {mean_ns / 1e6:.1f} ms on average",
            )

    def _refuse_empty_episodes(self, topic: str) -> None:
        first = iter([*self._first, None])
        found = next(first)
        for (begin_ns, _), (following_ns, _) in pairwise([*self._spans, [-1, -1]]):
            if found is not None and begin_ns <= found and (found < following_ns or following_ns <= begin_ns):
                found = next(first)
                continue
            raise refusal(
                self.bag,
                topic,
                begin_ns,
                f"expected an episode of at least {SHORTEST} steps (images, joints, command), got 0;"
                " cut it out or record it again",
            )

    def _refuse_unpaired_images(self) -> None:
        """Images of every camera belong to a step: those of the first, by which steps are found, must not be missing."""
        first, *others = (topic for camera in self.profile.cameras.values() for topic in (camera.color, camera.depth))
        due = np.sort(np.array(self.topics[first].stamps, np.int64))
        for topic in others:
            stamps = np.array(self.topics[topic].stamps, np.int64)
            inside = np.zeros(len(stamps), bool) if self.profile.episodes else np.ones(len(stamps), bool)
            for begin_ns, end_ns in self._spans:
                inside |= (stamps >= begin_ns) & ((stamps <= end_ns) | (end_ns < 0))
            at = np.searchsorted(due, stamps)
            apart = np.minimum(
                np.abs(stamps - due[np.maximum(at - 1, 0)]), np.abs(stamps - due[np.minimum(at, len(due) - 1)])
            )
            lonely = stamps[inside & (apart > JITTER * self.step_ns)]
            if len(lonely):
                raise refusal(
                    self.bag, first, int(lonely[0]), "expected a message in every step, got none; cut the bag before"
                )
