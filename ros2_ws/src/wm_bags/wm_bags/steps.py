"""Bags of anyone's making -> steps of the control rate, episode by episode; what cannot be used is cut out and told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wm_bags.cdr import HEADERLESS, IMAGE, same_picture, stamp_of
from wm_bags.frames import Frame, Step, arm_joints, check_rig, finite, make_frame, object_pose, refusal
from wm_bags.motion import CommandedMotion
from wm_bags.profile import CameraTopics, Profile
from wm_bags.reading import Bag, Message
from wm_bags.storage import BagError
from wm_bags.sync import Cut, Instant, Synchroniser
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig

SECOND_NS = 1_000_000_000
SHORTEST = 2  # steps of an episode
Watch = Callable[[Message, Any], None]
OUTSIDE = "outside an episode"
MOVED = 0.01  # [rad] by which a joint must move before an image that stays the same is a frozen one
IMAGES = (IMAGE, "sensor_msgs/msg/CompressedImage")
KINDS = {  # of what a topic must be, by its role's last word
    "colour": IMAGES,
    "depth": IMAGES,
    "intrinsics": ("sensor_msgs/msg/CameraInfo",),
    "joints": ("sensor_msgs/msg/JointState",),
    "episodes": ("wm_msgs/msg/Episode",),
    "object": ("geometry_msgs/msg/PoseStamped",),
}


@dataclass(frozen=True)
class Episode:
    """What a bag says of an episode; where nobody announced it, nobody knows the world and the seed."""

    index: int  # in the bag, from 0
    world: str = "video"
    seed: int = -1


@dataclass
class _Announced:
    begin_ns: int
    world: str
    seed: int
    end_ns: int | None = None


class StepReader:
    """Reads a bag by a profile."""

    def __init__(
        self, bag: Bag, profile: Profile, kinematics: Kinematics, step_ns: int, reach: float, watch: Watch
    ) -> None:
        """`reach`: [m] that the tool may be commanded to move in a step; `watch` is shown contents that were deserialised
        anyway. Raises BagError when topics are missing or wrong."""
        self._watch = watch
        self._bag, self._path = bag, bag.path
        self._profile, self._kinematics = profile, kinematics
        self._step_ns, self._reach = step_ns, reach
        self._roles = profile.roles
        self._rig = {camera.name: camera for camera in CameraRig.load(profile.rig).cameras}
        if unknown := sorted(set(profile.cameras) - set(self._rig)):
            raise BagError(f"{profile.rig}: expected the profile's cameras {unknown}, found {sorted(self._rig)}")
        _check_topics(bag, profile)
        wanted = {profile.joint_names.get(name, name) for name in kinematics.joint_names}
        self._own_names = {other: own for own, other in profile.joint_names.items()}
        self._degrees = profile.joint_unit == "deg"
        self._sync = Synchroniser(profile, wanted, step_ns)
        self._motion = (
            None
            if profile.source == "none"
            else CommandedMotion(profile.source, kinematics, profile.joint_names, self._degrees, step_ns)
        )
        self._announced: list[_Announced] = []
        self._count = 0  # episodes so far
        self._pending: Step | None = None  # waits for the commanded position at its end
        self._held: list[Step] = []  # the first step of an episode, until there is a second
        self._episode: Episode | None = None
        self._of: _Announced | None = None
        self._same: dict[str, tuple[bytes, np.ndarray]] = {}  # the last image, and joints when it came first
        self._raw_infos: dict[str, bytes] = {}

    def take(self, message: Message) -> Iterator[tuple[Episode, Step] | Cut]:
        """Add a message in order of recording."""
        role = self._roles.get(message.topic, "").split(" ")[-1]
        stamp_ns = message.log_ns if message.type in HEADERLESS else stamp_of(message.data)
        if self._sync.jumped(message.topic, stamp_ns):
            yield from self._follow(self._sync.jump(message.topic, stamp_ns))
            # What began just before, by the new clock, has been announced already.
            self._announced = [each for each in self._announced[-1:] if abs(each.begin_ns - stamp_ns) < SECOND_NS]
            self._of = None
            if self._motion is not None:
                self._motion.clear()
        if role in ("colour", "depth"):
            yield from self._follow(self._sync.image(message, stamp_ns))
            return
        if role == "intrinsics":
            if self._raw_infos.get(message.topic) != message.data[12:]:  # it says the same again and again
                self._sync.info(message.topic, self._bag.deserialize(message))
                self._raw_infos[message.topic] = message.data[12:]
            return
        content = self._bag.deserialize(message)
        self._watch(message, content)
        if role == "joints":
            self._sync.joints(content, stamp_ns)
        elif role == "object":
            self._sync.truth(message.topic, content, stamp_ns)
        elif role == "episodes":
            self._announce(content, stamp_ns)
        if self._motion is not None and message.topic == self._profile.motion:
            try:
                self._motion.add(content, stamp_ns)
            except BagError as error:
                yield from self._close(None)
                yield Cut("command", message.topic, stamp_ns, stamp_ns + self._step_ns, str(error))

    def finish(self) -> Iterator[tuple[Episode, Step] | Cut]:
        """The bag is over."""
        yield from self._follow(self._sync.finish())
        yield from self._close(None)

    # -- from instants to steps ----------------------------------------------------------------------------------

    def _follow(self, found: Iterator[Instant | Cut]) -> Iterator[tuple[Episode, Step] | Cut]:
        for each in found:
            if isinstance(each, Cut):
                yield from self._close(None)
                yield each if self._inside(each) else replace(each, kind=OUTSIDE)
                continue
            yield from self._instant(each)

    def _inside(self, cut: Cut) -> bool:
        """Whether it is within one episode: between two of them nothing is missed."""
        if cut.kind == "clock jump":
            return True
        episode = self._episode_at(cut.from_ns)
        return episode is not None and (cut.kind != "gap" or episode is self._episode_at(cut.to_ns))

    def _instant(self, instant: Instant) -> Iterator[tuple[Episode, Step] | Cut]:
        announced = self._episode_at(instant.stamp_ns)
        if announced is not self._of:
            yield from self._close(None)
            self._of = announced
        if announced is None:
            until = instant.stamp_ns + self._step_ns
            yield Cut(OUTSIDE, self._profile.episodes or "", instant.stamp_ns, until, "")
            return
        try:
            step = self._measured(instant)
        except _StepFaultError as fault:
            yield from self._close(None)
            yield Cut(fault.kind, fault.topic, instant.stamp_ns, instant.stamp_ns + self._step_ns, str(fault))
            return
        yield from self._emit(step.stamp_ns)
        self._pending = step

    def _emit(self, until_ns: int) -> Iterator[tuple[Episode, Step] | Cut]:
        """The pending step, with the commanded motion up to a stamp."""
        step, self._pending = self._pending, None
        if step is None:
            return
        if self._motion is not None:
            start, end = self._motion.target(step.stamp_ns), self._motion.target(until_ns)
            problem = ""
            if start is None or end is None:
                problem = "expected a command before the first image, got none"
            elif np.linalg.norm(end - start) > self._reach:
                problem = f"expected a motion of at most {self._reach:.3f} m in a step, got {start} to {end}"
            if problem:
                yield from self._drop_short()
                kind = "too fast" if start is not None else "missing"
                yield Cut(kind, self._profile.motion, step.stamp_ns, step.stamp_ns + self._step_ns, problem)
                return
            step = replace(step, ee_start=start, ee_end=end)
        if self._episode is None:
            self._held.append(step)
            if len(self._held) < SHORTEST:
                return
            assert self._of is not None
            self._episode = Episode(self._count, self._of.world, self._of.seed)
            self._count += 1
            for held in self._held:
                yield self._episode, held
            self._held = []
        else:
            yield self._episode, step

    def _close(self, until_ns: int | None) -> Iterator[tuple[Episode, Step] | Cut]:
        """The episode ends with the pending step."""
        if self._pending is not None:
            yield from self._emit(until_ns or self._pending.stamp_ns + self._step_ns)
        yield from self._drop_short()

    def _drop_short(self) -> Iterator[tuple[Episode, Step] | Cut]:
        for step in self._held:
            yield Cut(
                "too short",
                self._profile.episodes or "",
                step.stamp_ns,
                step.stamp_ns + self._step_ns,
                f"expected an episode of at least {SHORTEST} steps, got 1",
            )
        self._held, self._episode = [], None

    def _measured(self, instant: Instant) -> Step:
        """Arrays of an instant, without its motion."""
        profile, stamp_ns = self._profile, instant.stamp_ns
        names = tuple(self._own_names.get(name, name) for name in instant.joint_names)
        joints = np.radians(instant.joints) if self._degrees else instant.joints
        nothing = np.full(2, np.nan)
        step = Step(stamp_ns, {}, names, joints, nothing, nothing, None)
        with _fault("NaN" if not np.isfinite(joints).all() else "joints", profile.joints):
            finite(self._path, profile.joints, stamp_ns, joints)
            if len(names) != len(joints):
                raise refusal(
                    self._path, profile.joints, stamp_ns, f"expected {len(names)} positions, got {len(joints)}"
                )
            q = arm_joints(self._path, profile.joints, step, self._kinematics)
        frames = {}
        for name, topics in profile.cameras.items():
            for topic in (topics.color, topics.depth):
                self._check_frozen(instant.images[topic], q, stamp_ns)
            frames[name] = self._frame(name, topics, instant)
        truth = None
        if instant.truth is not None and profile.object:
            with _fault("NaN", profile.object):
                truth = object_pose(self._path, profile.object, stamp_ns, instant.truth)
        return replace(step, frames=frames, truth=truth)

    def _frame(self, name: str, topics: CameraTopics, instant: Instant) -> Frame:
        with _fault("image", topics.color):
            images = (self._bag.deserialize(instant.images[topic]) for topic in (topics.color, topics.depth))
            messages = (*images, instant.infos[topics.info])
            frame = make_frame(self._path, topics, instant.stamp_ns, messages, self._profile.depth_unit)
        if self._profile.intrinsics == "rig":
            check_rig(self._path, topics.info, instant.stamp_ns, frame, self._rig[name])
        return frame

    def _check_frozen(self, message: Message, q: np.ndarray, stamp_ns: int) -> None:
        before = self._same.get(message.topic)
        with _fault("image", message.topic):
            try:
                fresh = before is None or not same_picture(message.data, before[0], message.type)
            except ValueError as error:
                raise refusal(self._path, message.topic, stamp_ns, str(error)) from error
        if before is None or fresh:
            self._same[message.topic] = message.data, q
            return
        moved = float(np.abs(q - before[1]).max())
        if moved > MOVED:
            raise _StepFaultError(
                "frozen image",
                message.topic,
                f"expected another image, got the same again while the arm moved {moved:.3f} rad; restart the camera's driver",
            )

    # -- episodes ------------------------------------------------------------------------------------------------

    def _announce(self, event: Any, stamp_ns: int) -> None:
        for episode in self._announced:
            if episode.end_ns is None:
                episode.end_ns = stamp_ns if event.event == event.END else stamp_ns - 1
        del self._announced[:-8]
        if event.event == event.BEGIN:
            self._announced.append(_Announced(stamp_ns, event.world, int(event.seed)))

    def _episode_at(self, stamp_ns: int) -> _Announced | None:
        if self._profile.episodes is None:
            if not self._announced:
                self._announced.append(_Announced(stamp_ns, "video" if self._motion is None else "recorded", -1))
            return self._announced[0]
        for episode in reversed(self._announced):
            if episode.begin_ns <= stamp_ns <= (stamp_ns if episode.end_ns is None else episode.end_ns):
                return episode
        return None


class _StepFaultError(ValueError):
    """Why a step cannot be used."""

    def __init__(self, kind: str, topic: str, problem: str) -> None:
        super().__init__(problem)
        self.kind, self.topic = kind, topic


class _fault:  # noqa: N801
    """What is refused inside becomes a fault of this kind."""

    def __init__(self, kind: str, topic: str) -> None:
        self._kind, self._topic = kind, topic

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, BagError):
            raise _StepFaultError(self._kind, self._topic, str(error)) from error


def _check_topics(bag: Bag, profile: Profile) -> None:
    """Raises BagError when a topic that the profile names is missing, of another type, or cannot be read."""
    found = {name: topic.type for name, topic in bag.topics.items()}
    for topic, role in profile.roles.items():
        if topic not in found:
            if role == "object":
                continue
            remedy = (
                "use the bag as video or record it"
                if role in ("episodes", "motion")
                else "record it or use another bag"
            )
            raise BagError(
                f"{bag.path}: expected the topic {topic} ({role}), found {sorted(found)}; {remedy}, or map its topics:"
                " ./wm bag profile BAG"
            )
        wanted = KINDS.get(role.split(" ")[-1])
        if wanted and found[topic] not in wanted:
            raise BagError(
                f"{bag.path}: {topic}: expected {' or '.join(wanted)}, got {found[topic]}; map another topic to {role}"
            )
        if problem := bag.problem_of(topic):
            raise BagError(f"{bag.path}: {topic}: expected a {found[topic]} that can be read: {problem}")
