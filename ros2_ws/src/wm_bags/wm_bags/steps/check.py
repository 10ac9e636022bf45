"""What can be learned from a bag, and what cannot and why: collected while its steps are read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_bags.steps.episodes import Episode
from wm_bags.steps.frames import Step
from wm_bags.steps.profile import Profile
from wm_bags.steps.reader import OUTSIDE, StepReader
from wm_bags.steps.step_spec import DEFAULT_STEPS, StepSpec
from wm_bags.steps.sync import Cut
from wm_bags.steps.topic_stats import TopicStats
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.meshes import MeshError
from wm_core.rig import RigError
from wm_core.robot import RobotError

# Why a bag cannot be used, while others can: it is damaged, or its robot or rig is not on this machine, or is another one by now.
UNUSABLE = (BagError, RobotError, RigError, KinematicsError, MeshError)
Span = tuple[int, int]  # stamps [ns]
STEP_NS, REACH = DEFAULT_STEPS.ns, DEFAULT_STEPS.reach  # of the default task


@dataclass
class BagCheck:
    """Findings about one bag. `cuts`: merged where one follows the other."""

    bag: Path
    profile: Profile
    topics: dict[str, TopicStats] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # role by topic
    notes: list[str] = field(default_factory=list)
    steps: int = 0
    episodes: int = 0
    kept: list[Span] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    outside: list[Span] = field(default_factory=list)  # between episodes
    refused: str = ""
    step_ns: int = 0

    def steps_of(
        self, bag: Bag, kinematics: Kinematics, step_ns: int = STEP_NS, reach: float = REACH, everything: bool = False
    ) -> Iterator[tuple[Episode, Step]]:
        """The bag's steps, while all else about it is noted; `everything`: also topics that no role needs."""
        self.step_ns = step_ns
        roles = self.profile.roles
        self.missing = {topic: role for topic, role in roles.items() if topic not in bag.topics}
        self.topics = {
            topic.name: TopicStats(
                topic.name, topic.type, roles.get(topic.name, ""), self.profile.rates.get(topic.name)
            )
            for topic in bag.topics.values()
            if everything or topic.name in roles
        }
        try:
            reader = StepReader(bag, self.profile, kinematics, step_ns, reach, self._watch)
        except BagError:
            if everything:  # what is there is reported all the same
                for message in bag.messages(self.topics):
                    self._watch(message)
            raise
        try:
            for message in bag.messages(self.topics):
                self._watch(message)
                if message.topic in roles:
                    yield from self._noted(reader.take(message))
            yield from self._noted(reader.finish())
        finally:
            self.notes = list(bag.notes)

    @staticmethod
    def without_profile(bag: Path, reason: str) -> "BagCheck":
        """Of a bag of which it is not known which topics play which role: nothing of it is used."""
        check = BagCheck(bag, Profile.default())
        check.refuse(reason)
        return check

    def refuse(self, reason: str) -> None:
        """Nothing of the bag is used."""
        self.refused, self.steps, self.episodes, self.kept = reason, 0, 0, []

    def summary(self) -> str:
        """In one line: how much is kept, and why the rest is not."""
        if self.refused:
            return f"left out: {self.refused}"
        lost = ", ".join(f"{seconds:.1f} s {kind}" for kind, seconds in sorted(self.lost_s.items()))
        return f"{self.kept_s:.1f} s kept, cut: {lost or 'nothing'}"

    def why_nothing(self) -> str:
        """The reason why no step is left."""
        if self.refused:
            return self.refused
        if not self.cuts:
            if self.profile.episodes and not self.topics[self.profile.episodes].logs:
                return "; ".join(
                    [
                        f"{self.bag}: expected episodes announced on {self.profile.episodes}, got none; announce them, use it as"
                        " video, or set episodes: null in the profile",
                        *self.notes,
                    ]
                )
            return f"{self.bag}: expected images of all cameras within an episode, got none; ./wm bag check shows what is there"
        telling = [cut for cut in self.cuts if cut.kind != "too short"] or self.cuts
        first = max(telling, key=lambda cut: cut.to_ns - cut.from_ns)
        return first.message(self.bag, first.from_ns)

    @property
    def kept_s(self) -> float:
        return self.steps * self.step_ns / 1e9

    @property
    def lost_s(self) -> dict[str, float]:
        """Seconds cut, by kind."""
        lost: dict[str, float] = {}
        for cut in self.cuts:
            lost[cut.kind] = lost.get(cut.kind, 0.0) + max(cut.to_ns - cut.from_ns, 0) / 1e9
        return lost

    def facts(self) -> dict[str, Any]:
        """All of it as JSON."""
        topics = {name: stats.facts() for name, stats in self.topics.items()}
        for topic in {cut.topic for cut in self.cuts if cut.kind == "frozen image"}:
            # Only there: an image in which nothing moves may well be the same again.
            topics[topic]["faults"].append(f"the same image up to {topics[topic]['longest_repetition']} times in a row")
        return {
            "bag": str(self.bag),
            "refused": self.refused,
            "steps": self.steps,
            "episodes": self.episodes,
            "kept_s": self.kept_s,
            "lost_s": self.lost_s,
            "outside_episodes_s": sum(end - begin for begin, end in self.outside) / 1e9,
            "missing": self.missing,
            "notes": self.notes,
            "cuts": [
                {
                    "kind": cut.kind,
                    "topic": cut.topic,
                    "from_s": cut.from_ns / 1e9,
                    "to_s": cut.to_ns / 1e9,
                    "problem": cut.problem,
                }
                for cut in self.cuts
            ],
            "topics": topics,
        }

    def _watch(self, message: Any, content: Any = None) -> None:
        try:
            self.topics[message.topic].add(message, content)
        except ValueError as error:
            raise BagError(f"{message.file}: {message.topic} at {message.place}: {error}") from error

    def _noted(self, found: Iterator[tuple[Episode, Step] | Cut]) -> Iterator[tuple[Episode, Step]]:
        for each in found:
            if isinstance(each, Cut):
                self._cut(each)
                continue
            episode, step = each
            self.steps += 1
            self.episodes = episode.index + 1
            _extend(self.kept, (step.stamp_ns, step.stamp_ns + self.step_ns), self.step_ns)
            yield episode, step

    def _cut(self, cut: Cut) -> None:
        if cut.kind == OUTSIDE:
            _extend(self.outside, (cut.from_ns, cut.to_ns), self.step_ns)
            return
        last = self.cuts[-1] if self.cuts else None
        if last and (last.kind, last.topic) == (cut.kind, cut.topic) and 0 <= cut.from_ns - last.to_ns <= self.step_ns:
            self.cuts[-1] = Cut(cut.kind, cut.topic, last.from_ns, cut.to_ns, last.problem)
        else:
            self.cuts.append(cut)


def check_bag(
    path: Path, profile: Profile, kinematics: Kinematics, damaged: str = "refuse", steps: StepSpec = DEFAULT_STEPS
) -> BagCheck:
    """Read a whole bag, in such steps, and everything in it."""
    check = BagCheck(path, profile)
    try:
        with Bag(path, damaged) as bag:
            for _ in check.steps_of(bag, kinematics, steps.ns, steps.reach, everything=True):
                pass
    except UNUSABLE as error:
        check.refuse(str(error))
    return check


def _extend(spans: list[Span], span: Span, gap_ns: int) -> None:
    """Add a span; what nearly follows the last one becomes one with it."""
    if spans and span[0] - spans[-1][0] >= 0 and span[0] - spans[-1][1] <= gap_ns:
        spans[-1] = (spans[-1][0], max(span[1], spans[-1][1]))
    else:
        spans.append(span)
