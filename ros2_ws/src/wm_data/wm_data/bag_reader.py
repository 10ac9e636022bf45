"""Reads wm's own bags strictly: what is torn, empty, foreign or mismatched is refused with bag, topic and time.

`wm_bags.steps.stepping` reads bags of anyone's making and cuts out what cannot be used; of what is as here both make the same.
One step is held at a time, so a bag may be larger than memory. Stamps are those of the headers: when it was measured.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader

from wm_bags.steps.episodes import Episode
from wm_bags.steps.frames import Step, refusal
from wm_bags.storage.common import BagError, in_words
from wm_core.bags import typestore
from wm_data.bag_checks import JITTER, EpisodeCheck, make_step, stamp_of
from wm_data.episode_bag import (
    CAMERA_KINDS,
    COLOUR,
    EPISODE,
    EXECUTED,
    JOINTS,
    KINDS,
    TRUTH,
)
from wm_tasks.settings import STEP_NS


def read_steps(path: Path, video: bool = False) -> Iterator[tuple[Episode, Step]]:
    """All steps of a bag in order, each with its episode; raises BagError.

    With `video`, commands, labels and announcements are ignored: cameras and joints are enough, at any rate from the
    model's on, and an episode ends where frames are missing.
    """
    path = Path(path)
    yield from _watched(path) if video else _commanded(path)


def _commanded(path: Path) -> Iterator[tuple[Episode, Step]]:
    """Steps of announced episodes, each closed by its command."""
    episode: Episode | None = None
    check: EpisodeCheck | None = None
    pending: dict[str, Any] = {}
    count = 0
    for cameras, topic, stamp_ns, message in _messages(path, (EPISODE, EXECUTED, JOINTS), (TRUTH,)):
        if topic == EPISODE:
            if check is not None:
                check.end()
            episode, check, pending = None, None, {}
            if message.event == message.BEGIN:
                episode, check = Episode(count, message.world, message.seed), EpisodeCheck(path, topic, stamp_ns)
                count += 1
            continue
        pending[topic] = message
        if topic != EXECUTED:
            continue
        # A command without an image before it is a hold between frames.
        if episode is not None and check is not None and any(name.endswith(COLOUR) for name in pending):
            if JOINTS not in pending:
                raise refusal(path, JOINTS, stamp_ns, "expected joint states in every step, got none; record them")
            step = make_step(path, cameras, pending)
            check.add(step)
            yield episode, step
        pending = {}
    if not count:
        raise BagError(f"{path}: expected episodes announced on /{EPISODE}, got none; announce them or use it as video")
    if check is not None:
        check.end()


def _watched(path: Path) -> Iterator[tuple[Episode, Step]]:
    """Steps of a video: sets of frames one control period apart, with the joint states nearest to them."""
    index, check, last_ns = -1, None, None
    for step in _frame_sets(path):
        if check is None or last_ns is None or step.stamp_ns - last_ns > (1 + JITTER) * STEP_NS:
            if check is not None:
                check.end()
            index, check = index + 1, EpisodeCheck(path, next(iter(step.frames)) + COLOUR, step.stamp_ns)
        check.add(step)
        last_ns = step.stamp_ns
        yield Episode(index), step
    if check is None:
        raise BagError(f"{path}: expected images of all its cameras and /{JOINTS}, got no complete set of them")
    check.end()


def _frame_sets(path: Path) -> Iterator[Step]:
    pending: dict[str, Any] = {}
    joints: Any = None
    set_ns: int | None = None
    due_ns, quarter = 0, STEP_NS // 4
    for cameras, topic, _, message in _messages(path, (JOINTS,), ()):
        stamp_ns = stamp_of(message)
        if topic == JOINTS:
            held = pending.get(JOINTS)
            joints = message
            if set_ns is not None and (held is None or abs(stamp_ns - set_ns) < abs(stamp_of(held) - set_ns)):
                pending[JOINTS] = message
            continue
        if set_ns is not None and stamp_ns >= set_ns + 2 * quarter:
            yield _video_step(path, cameras, pending, set_ns)
            due_ns, set_ns, pending = set_ns + 3 * quarter, None, {}
        if set_ns is None and stamp_ns >= due_ns:
            set_ns = stamp_ns
            if joints is not None:
                pending[JOINTS] = joints
        if set_ns is None:
            if stamp_ns < due_ns - 4 * quarter:
                raise refusal(
                    path, topic, stamp_ns, f"expected rising stamps, the one before is {due_ns - 3 * quarter} ns"
                )
        elif abs(stamp_ns - set_ns) < quarter:
            pending[topic] = message
    if set_ns is not None:
        yield _video_step(path, cameras, pending, set_ns)


def _video_step(path: Path, cameras: list[str], pending: dict[str, Any], set_ns: int) -> Step:
    if JOINTS not in pending:
        raise refusal(path, JOINTS, set_ns, "expected joint states from the first image on, got none; cut the bag")
    if not any(topic.endswith(COLOUR) for topic in pending):
        raise refusal(path, cameras[0] + COLOUR, set_ns, "expected an image in every step, got none; cut the bag")
    return make_step(path, cameras, pending)


def _messages(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[tuple[list[str], str, int, Any]]:
    """The bag's cameras, then topic, bag time [ns] and message of the topics that learning uses."""
    if not path.is_dir():
        raise BagError(f"{path}: expected a rosbag2 folder, got {'a file' if path.exists() else 'nothing'}")
    try:
        reader = AnyReader([path], default_typestore=typestore())
        reader.open()
    except Exception as error:  # rosbags raises many kinds for torn or foreign files
        raise BagError(
            f"{path}: expected a rosbag2 folder (MCAP or sqlite3) with metadata.yaml, got: {in_words(error)};"
            " a recording that was killed is repaired by 'ros2 bag reindex', or record it again"
        ) from error
    with closing(reader):
        kinds = {connection.topic.lstrip("/"): connection.msgtype for connection in reader.connections}
        cameras = _cameras(path, kinds, needed)
        used = {*needed, *optional, *(camera + topic for camera in cameras for topic in CAMERA_KINDS)}
        chosen = [connection for connection in reader.connections if connection.topic.lstrip("/") in used]
        topic, stamp_ns = needed[0], reader.start_time if reader.message_count else 0
        messages = reader.messages(chosen)
        while True:
            try:
                connection, stamp_ns, data = next(messages)
                topic = connection.topic.lstrip("/")
                message = reader.deserialize(data, connection.msgtype)
            except StopIteration:
                return
            except Exception as error:  # a torn chunk, or a message that is not what its type says
                raise refusal(
                    path,
                    topic,
                    stamp_ns,
                    f"expected readable messages, got {in_words(error)} there or right after; record it again",
                ) from error
            yield cameras, topic, stamp_ns, message


def _cameras(path: Path, kinds: dict[str, str], needed: tuple[str, ...]) -> list[str]:
    """Names of the cameras in a bag; raises BagError when topics are missing or of another type."""
    cameras = sorted(topic.removesuffix(COLOUR) for topic in kinds if topic.endswith(COLOUR))
    wanted = {topic: KINDS[topic] for topic in needed}
    wanted |= {camera + topic: kind for camera in cameras or ["CAMERA"] for topic, kind in CAMERA_KINDS.items()}
    wanted |= {TRUTH: KINDS[TRUTH]} if TRUTH in kinds else {}
    for topic, kind in wanted.items():
        if topic not in kinds:
            remedy = (
                "use the bag as video or record it" if topic in (EPISODE, EXECUTED) else "record it or use another bag"
            )
            raise BagError(f"{path}: expected the topic /{topic}, found {sorted(kinds)}; {remedy}")
        if kinds[topic] != kind:
            raise BagError(f"{path}: /{topic}: expected {kind}, got {kinds[topic]}; record that type")
    return cameras
