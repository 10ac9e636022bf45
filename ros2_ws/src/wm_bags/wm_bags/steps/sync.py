"""One set of measurements per control period, by header stamp, out of topics of any rates; what cannot be paired is cut.

The images of an instant are those nearest to it; joint states are interpolated; camera infos hold until the next. Only a window of
about a second is kept.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.profile import ANOTHER_ROBOT, Profile
from wm_bags.storage.reading import Message

JITTER = 0.5  # share of a step by which one stamp may be off
LATE_NS = 500_000_000  # a topic may lag this far behind the others
BACK_NS = 100_000_000  # stamps that go back by more are a jump of the clock, not disorder
PERIODS = 9  # intervals of which a camera's period is the median
LOST = 1.5  # periods between two messages that mean that one between them was lost
OF_ONE_FRAME = (
    0.75  # share of a topic's period within which an image is of the same frame, and not of the one beside it
)
GAIN = 4  # a control period follows the camera's beat by a quarter of what it is off


@dataclass(frozen=True)
class Cut:
    """Time that is left out, and why. `kind`: one of a few words, for counting."""

    kind: str
    topic: str
    from_ns: int
    to_ns: int
    problem: str

    def message(self, bag: Path, at_ns: int) -> str:
        """In words, with bag, topic and time."""
        if self.problem.startswith(str(bag)):  # found while a message was read, and says where
            return self.problem
        return f"{bag}: /{self.topic.lstrip('/')} at {at_ns / 1e9:.3f} s ({at_ns} ns): {self.problem}"


@dataclass(frozen=True)
class Instant:
    """The measurements of one control period. `images`: as recorded, by topic; `infos`: camera infos by topic."""

    stamp_ns: int
    images: dict[str, Message]
    infos: dict[str, Any]
    joint_names: tuple[str, ...]  # as in the bag
    joints: np.ndarray  # in the bag's unit
    truth: Any


class Stream:
    """Recent messages of a topic by stamp."""

    def __init__(self) -> None:
        self._items: list[tuple[int, int, Any]] = []  # stamp, order of arrival
        self._count = 0
        self._intervals: deque[int] = deque(maxlen=PERIODS)

    def add(self, stamp_ns: int, item: Any) -> None:
        if self._items and stamp_ns > self._items[-1][0]:
            self._intervals.append(stamp_ns - self._items[-1][0])
        insort(self._items, (stamp_ns, self._count, item), key=lambda entry: entry[:2])
        self._count += 1

    @property
    def newest_ns(self) -> int | None:
        return self._items[-1][0] if self._items else None

    @property
    def first_ns(self) -> int | None:
        return self._items[0][0] if self._items else None

    def nearest(self, stamp_ns: int, tolerance_ns: int) -> tuple[int, Any] | None:
        """Stamp and message nearest to a stamp, within a tolerance."""
        at = self._at(stamp_ns)
        near = min(self._items[max(at - 1, 0) : at + 1], key=lambda entry: abs(entry[0] - stamp_ns), default=None)
        return (near[0], near[2]) if near is not None and abs(near[0] - stamp_ns) <= tolerance_ns else None

    def of_one_frame(self, stamp_ns: int, tolerance_ns: int) -> tuple[int, Any] | None:
        """As `nearest`; where messages are missing around the stamp, the next frame is no substitute for the lost one."""
        around = self.around(stamp_ns)
        if self._intervals and around and around[0][0] < stamp_ns:
            period_ns = float(np.median(self._intervals))
            if len(around) == 1 or around[1][0] - around[0][0] > LOST * period_ns:
                tolerance_ns = min(tolerance_ns, round(OF_ONE_FRAME * period_ns))
        return self.nearest(stamp_ns, tolerance_ns)

    def beat(self, due_ns: int, half_ns: int) -> int | None:
        """The stamp nearest to when one is due; None where images that would be nearer are missing."""
        near, at = self.nearest(due_ns, half_ns), self._at(due_ns)
        if near is None or near[0] >= due_ns or not self._intervals:
            return near[0] if near else None
        # Of a camera faster than the control rate another image would come, nearer than this one, unless it ends here.
        period_ns = float(np.median(self._intervals))  # a single interval shrinks and grows with the stamps' jitter
        ends = at == len(self._items) or self._items[at][0] - near[0] > LOST * period_ns
        return None if ends and near[0] + period_ns - due_ns < due_ns - near[0] else near[0]

    def around(self, stamp_ns: int) -> list[tuple[int, Any]]:
        """The last message before or at a stamp and the first at or after it, as far as they are there."""
        at = self._at(stamp_ns)
        return [(entry[0], entry[2]) for entry in self._items[max(at - 1, 0) : at + 1]]

    def after(self, stamp_ns: int) -> int | None:
        """The first stamp at or after another."""
        at = self._at(stamp_ns)
        return self._items[at][0] if at < len(self._items) else None

    def drop(self, stamp_ns: int, keep: int = 0) -> None:
        """Forget messages before a stamp, but for the last `keep` of them."""
        del self._items[: max(self._at(stamp_ns) - keep, 0)]

    def _at(self, stamp_ns: int) -> int:
        return bisect_left(self._items, stamp_ns, key=lambda entry: entry[0])


class Synchroniser:
    """Takes messages in order of recording and gives instants, and cuts between them."""

    def __init__(self, profile: Profile, joint_names: set[str], step_ns: int) -> None:
        """`joint_names`: as in the bag; states without them are not of the arm, see `of_arm`."""
        self._profile = profile
        self._wanted = joint_names
        self._step_ns = step_ns
        cameras = profile.cameras.values()
        self._images = [topic for camera in cameras for topic in (camera.color, camera.depth)]
        self._reference = self._images[0]
        self._seen_names: set[str] = set()
        self._infos: dict[str, Any] = {}
        self._clear()

    def jumped(self, topic: str, stamp_ns: int) -> bool:
        """Whether a stamp is so far before the newest of its topic that the clock must have been set back."""
        newest = self._newest.get(topic)
        return newest is not None and stamp_ns < newest - BACK_NS

    def jump(self, topic: str, stamp_ns: int) -> Iterator[Instant | Cut]:
        """The clock was set back: what is left of the time before, and the cut. Then everything begins anew."""
        newest = self._newest.get(topic, max(self._newest.values(), default=stamp_ns))
        yield from self._advance(final=True)
        yield Cut(
            "clock jump", topic, newest, stamp_ns, f"expected rising stamps, got {(newest - stamp_ns) / 1e9:.3f} s back"
        )
        self._clear()

    def image(self, message: Message, stamp_ns: int) -> Iterator[Instant | Cut]:
        """Add an image; gives what became complete by it. The same stamp twice is the same image."""
        newest = self._newest.get(message.topic)
        if stamp_ns != newest:
            self._newest[message.topic] = max(stamp_ns, newest or stamp_ns)
            self._streams[message.topic].add(stamp_ns, message)
            yield from self._advance()

    def of_arm(self, state: Any) -> bool:
        """Whether a joint state is of the arm; others on its topic, as a gripper's, are noted by name."""
        if self._wanted <= set(state.name):
            return True
        self._seen_names |= set(state.name)
        return False

    def joints(self, state: Any, stamp_ns: int) -> None:
        """Add a joint state of the arm."""
        self._seen(self._profile.joints, stamp_ns)
        self._joints.add(stamp_ns, (tuple(state.name), np.asarray(state.position, float)))

    def info(self, topic: str, info: Any) -> None:
        """Add a camera info."""
        self._infos[topic] = info

    def truth(self, topic: str, pose: Any, stamp_ns: int) -> None:
        """Add the true pose of the object."""
        self._seen(topic, stamp_ns)
        self._truth.add(stamp_ns, pose)
        self._truth.drop(stamp_ns - 4 * LATE_NS)

    def finish(self) -> Iterator[Instant | Cut]:
        """The bag is over."""
        yield from self._advance(final=True)

    # -- inside --------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._streams = {topic: Stream() for topic in self._images}
        self._joints, self._truth = Stream(), Stream()
        self._newest: dict[str, int] = {}
        self._due_ns: int | None = None
        self._last_ns: int | None = None

    def _seen(self, topic: str, stamp_ns: int) -> None:
        self._newest[topic] = max(stamp_ns, self._newest.get(topic, stamp_ns))

    def _advance(self, final: bool = False) -> Iterator[Instant | Cut]:
        reference, half = self._streams[self._reference], self._step_ns // 2
        while True:
            newest = max((stream.newest_ns or 0 for stream in self._streams.values()), default=0)
            if self._due_ns is None:
                self._due_ns = reference.first_ns
                if self._due_ns is None:
                    self._forget(newest - 4 * LATE_NS)
                    return
            overdue = final or newest > self._due_ns + half + LATE_NS
            if not overdue and (reference.newest_ns is None or reference.newest_ns < self._due_ns + half):
                return
            stamp_ns = reference.beat(self._due_ns, half)
            if stamp_ns is None:
                following = reference.after(self._due_ns)
                if following is None:
                    self._forget(newest - 4 * LATE_NS)
                    return
                yield self._gap(following)
                self._due_ns, self._last_ns = following, None
                continue
            others = [stream.newest_ns for stream in (*self._streams.values(), self._joints)]
            waiting = any(other is None or other < stamp_ns for other in others)
            if waiting and not final and newest <= stamp_ns + LATE_NS:
                return
            if self._last_ns is not None and abs(stamp_ns - self._last_ns - self._step_ns) > JITTER * self._step_ns:
                yield self._gap(stamp_ns)
            yield self._instant(stamp_ns)
            self._last_ns = stamp_ns
            self._due_ns += self._step_ns + (stamp_ns - self._due_ns) // GAIN
            self._forget(stamp_ns + 1)

    def _gap(self, stamp_ns: int) -> Cut:
        last_ns = stamp_ns if self._last_ns is None else self._last_ns
        return Cut(
            "gap",
            self._reference,
            min(last_ns + self._step_ns, stamp_ns),
            stamp_ns,
            f"expected an image every {self._step_ns / 1e6:.0f} ms, the model's, got {(stamp_ns - last_ns) / 1e6:.0f} ms since the"
            " last; cut the episode there or record at that rate",
        )

    def _forget(self, stamp_ns: int) -> None:
        for topic, stream in self._streams.items():
            stream.drop(stamp_ns - (0 if topic == self._reference else self._profile.tolerance_ns))
        self._joints.drop(stamp_ns - self._step_ns, keep=1)

    def _instant(self, stamp_ns: int) -> Instant | Cut:
        def missing(topic: str, problem: str) -> Cut:
            return Cut("missing", topic, stamp_ns, stamp_ns + self._step_ns, problem)

        images, infos = {}, {}
        for camera in self._profile.cameras.values():
            for topic in (camera.color, camera.depth):
                found = self._streams[topic].of_one_frame(stamp_ns, self._profile.tolerance_ns)
                if found is None:
                    return missing(
                        topic,
                        f"expected a message in every step, got none within {self._profile.tolerance_ns / 1e6:.0f} ms",
                    )
                images[topic] = found[1]
            if camera.info not in self._infos:
                return missing(camera.info, "expected a camera info before the first image, got none")
            infos[camera.info] = self._infos[camera.info]
        state = self._state(stamp_ns)
        if state is None:
            wanted, seen = sorted(self._wanted), sorted(self._seen_names)
            problem = (
                f"expected joints {wanted}, got states of {seen} only; {ANOTHER_ROBOT}"
                if seen
                else f"expected joint states of {wanted} near the images, got none; record them"
            )
            return missing(self._profile.joints, problem)
        truth = self._truth.nearest(stamp_ns, self._profile.tolerance_ns)
        return Instant(stamp_ns, images, infos, *state, truth[1] if truth else None)

    def _state(self, stamp_ns: int) -> tuple[tuple[str, ...], np.ndarray] | None:
        """Names and positions at a stamp: interpolated, or the nearest; None where all are too far."""
        near = [entry for entry in self._joints.around(stamp_ns) if abs(entry[0] - stamp_ns) <= self._step_ns]
        exact = self._joints.nearest(stamp_ns, 0)
        if exact is not None:
            return exact[1]
        if len(near) == 2 and near[0][1][0] == near[1][1][0]:
            (before, (names, start)), (after, (_, end)) = near
            if len(start) != len(end):
                return names, end
            return names, start + (stamp_ns - before) / (after - before) * (end - start)
        found = self._joints.nearest(stamp_ns, self._profile.tolerance_ns)
        return found[1] if found else None
