"""Bags of anyone's making -> steps of the control rate, episode by episode, and `Cut`s for what cannot be used."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from wm_bags.steps.arrival import ArrivalClock
from wm_bags.steps.episodes import RECORDED, Announced, Announcements, Episode
from wm_bags.steps.frames import Frame, Step, arm_joints, check_rig, finite, make_frame, object_pose, refusal, unit_of
from wm_bags.steps.motion import CommandedMotion
from wm_bags.steps.profile import CameraTopics, Profile
from wm_bags.steps.roles import check_topics
from wm_bags.steps.sync import Cut, Instant, Synchroniser
from wm_bags.storage.cdr import HEADERLESS, same_picture, stamp_of
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag, Message
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig

SECOND_NS = 1_000_000_000
SHORTEST = 2  # steps of an episode
Watch = Callable[[Message, Any], None]
OUTSIDE = "outside an episode"
MOVED = 0.01  # [rad] by which a joint must move before an image that stays the same is a frozen one


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
        check_topics(bag, profile)
        wanted = {profile.joint_names.get(name, name) for name in kinematics.joint_names}
        self._own_names = {other: own for own, other in profile.joint_names.items()}
        self._degrees = profile.joint_unit == "deg"
        self._sync = Synchroniser(profile, wanted, step_ns)
        self._motion = (
            None
            if profile.source == "none"
            else CommandedMotion(profile.source, kinematics, profile.joint_names, self._degrees, step_ns)
        )
        self._arrival = ArrivalClock()
        self._announced = Announcements("" if profile.episodes else "video" if self._motion is None else RECORDED)
        self._count = 0  # episodes so far
        self._pending: Step | None = None  # waits for the commanded position at its end
        self._held: list[Step] = []  # the first step of an episode, until there is a second
        self._episode: Episode | None = None
        self._of: Announced | None = None
        self._same: dict[str, tuple[bytes, np.ndarray]] = {}  # the last image, and joints when it came first
        self._raw_infos: dict[str, bytes] = {}

    def take(self, message: Message) -> Iterator[tuple[Episode, Step] | Cut]:
        """Add a message in order of recording; raises BagError when the bag's own type lacks what its role needs."""
        try:
            yield from self._take(message)
        except AttributeError as error:
            raise BagError(
                f"{message.file}: {message.topic} at {message.place}: expected the fields that {message.type} has in Jazzy,"
                f" got a definition without one ({error}); map another topic, or convert the bag"
            ) from error

    def _take(self, message: Message) -> Iterator[tuple[Episode, Step] | Cut]:
        role = self._roles.get(message.topic, "").split(" ")[-1]
        stamp_ns = self._stamp(message)
        content = self._bag.deserialize(message) if role == "joints" else None
        if content is not None and not self._sync.of_arm(content):  # a gripper's have a clock of their own
            self._watch(message, content)
            return
        if self._sync.jumped(message.topic, stamp_ns):
            begin_ns = self._announced.last_begin_ns
            # What began just before, by the new clock, has been announced already.
            yield from self._set_back(
                message.topic, stamp_ns, begin_ns is not None and abs(begin_ns - stamp_ns) < SECOND_NS
            )
        if role in ("colour", "depth"):
            yield from self._follow(self._sync.image(message, stamp_ns))
            return
        if role == "intrinsics":
            if self._raw_infos.get(message.topic) != message.data[12:]:  # it says the same again and again
                self._sync.info(message.topic, self._bag.deserialize(message))
                self._raw_infos[message.topic] = message.data[12:]
            return
        content = self._bag.deserialize(message) if content is None else content
        self._watch(message, content)
        if role == "joints":
            self._sync.joints(content, stamp_ns)
        elif role == "object":
            self._sync.truth(message.topic, content, stamp_ns)
        elif role == "episodes":
            if self._announced.set_back(content, stamp_ns):
                yield from self._set_back(message.topic, stamp_ns, keep=False)
            self._announced.add(content, stamp_ns)
        if self._motion is not None and message.topic == self._profile.motion:
            try:
                self._motion.add(content, stamp_ns)
            except BagError as error:
                yield from self._close(None)
                yield Cut("command", message.topic, stamp_ns, stamp_ns + self._step_ns, str(error))

    def _stamp(self, message: Message) -> int:
        """[ns] Commands without a stamp, or with 0, which says "now", are of when they arrived."""
        stamp_ns = 0 if message.type in HEADERLESS else stamp_of(message.data)
        if stamp_ns == 0 and (message.topic == self._profile.motion or message.type in HEADERLESS):
            return self._arrival.stamp(message.log_ns)
        self._arrival.add(message.log_ns, stamp_ns)
        return stamp_ns

    def _set_back(self, topic: str, stamp_ns: int, keep: bool) -> Iterator[tuple[Episode, Step] | Cut]:
        """The clock was set back; `keep`: the episode that was announced last is of the time after."""
        yield from self._follow(self._sync.jump(topic, stamp_ns))
        self._announced.forget(keep)
        self._of = None
        self._arrival.clear()
        if self._motion is not None:
            self._motion.clear()

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
        episode = self._announced.at(cut.from_ns)
        return episode is not None and (cut.kind != "gap" or episode is self._announced.at(cut.to_ns))

    def _instant(self, instant: Instant) -> Iterator[tuple[Episode, Step] | Cut]:
        announced = self._announced.at(instant.stamp_ns)
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
            kind = ""
            if start is None or end is None:
                kind, problem = "missing", "expected a command before the first image, got none"
            elif np.linalg.norm(end.xy - start.xy) > self._reach:
                kind = "too fast"
                problem = f"expected a motion of at most {self._reach:.3f} m in a step, got {start.xy} to {end.xy}"
            else:
                step = replace(step, ee_start=start.xy, ee_end=end.xy)
            if kind:
                yield from self._drop_short()
                yield Cut(kind, self._profile.motion, step.stamp_ns, step.stamp_ns + self._step_ns, problem)
                return
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
                f"expected an episode of at least {SHORTEST} steps (images, joints, command), got 1",
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
                    self._path,
                    profile.joints,
                    stamp_ns,
                    f"expected {len(names)} positions for its names, got {len(joints)}",
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
            color, depth = images
            unit = unit_of(depth, self._rig[name], self._profile.depth_unit)
            messages = (color, depth, instant.infos[topics.info])
            said = self._profile.aligned_depth, self._profile.rectified
            frame = make_frame(self._path, topics, instant.stamp_ns, messages, unit, *said)
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
