"""What a recording says of a run: episodes and their outcomes, changes of the bundle, prediction errors, drift."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.replay.old_messages import present
from wm_bags.storage.reading import Bag
from wm_core.conversions import object_xy
from wm_tasks.settings import STEP_NS

BEGIN, END = 0, 1  # of wm_msgs/Episode
TASK = 0
REACHED = 1


@dataclass(frozen=True)
class Attempt:
    """One episode."""

    begin_ns: int
    end_ns: int
    model_id: str  # in use at its end
    purpose: int
    reached: bool
    final_distance: float  # [m]


@dataclass(frozen=True)
class Change:
    """Another bundle came into use."""

    stamp_ns: int
    model_id: str
    reason: str
    missed: int  # control cycles without a command around it


@dataclass
class RunRecord:
    """All of it; stamps in node time [ns]."""

    attempts: list[Attempt] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    error: np.ndarray = field(
        default_factory=lambda: np.empty((0, 2))
    )  # stamp, [m] one-step prediction error; NaN unseen
    drift: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))  # stamp, level
    object_xy: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))  # [m] believed

    def of(self, model_id: str) -> list[Attempt]:
        """Attempts at goals that began and ended with one bundle."""
        begin, end = 0, np.inf
        for change in self.changes:
            if change.model_id == model_id:
                begin, end = change.stamp_ns, np.inf
            elif end == np.inf:
                end = change.stamp_ns
        return [a for a in self.attempts if a.purpose == TASK and begin <= a.begin_ns and a.end_ns <= end]


def read_run(bag: Path) -> RunRecord:
    """Read a run's recording; raises BagError."""
    topics = ("/wm/episode", "/wm/active_bundle", "/wm/command", "/wm/prediction_error", "/wm/drift", "/wm/belief")
    found: dict[str, list[Any]] = {topic: [] for topic in topics}
    with Bag(bag) as recording:
        for message in recording.messages(topics):
            found[message.topic].append(present(message.type, recording.deserialize(message)))
    commands = np.array(sorted(_ns(m) for m in found["/wm/command"]), np.int64)
    begun: Any = None
    record = RunRecord()
    for message in found["/wm/episode"]:
        if message.event == BEGIN:
            begun = message
        elif begun is not None:
            reached = message.outcome == REACHED
            record.attempts.append(
                Attempt(_ns(begun), _ns(message), message.model_id, message.purpose, reached, message.final_distance)
            )
            begun = None
    for message in found["/wm/active_bundle"]:
        if message.previous_id:
            stamp = _ns(message)
            record.changes.append(Change(stamp, message.model_id, message.reason, _missed(commands, stamp)))
    record.error = np.array([(_ns(m), m.error) for m in found["/wm/prediction_error"]]).reshape(-1, 2)
    record.drift = np.array([(_ns(m), m.level) for m in found["/wm/drift"]]).reshape(-1, 2)
    record.object_xy = np.array([object_xy(m.objects) for m in found["/wm/belief"]]).reshape(-1, 2)
    return record


def _missed(commands: np.ndarray, stamp_ns: int) -> int:
    """Control periods without a command within a second of an instant."""
    near = commands[np.abs(commands - stamp_ns) < 10**9]
    return int(np.maximum(np.round(np.diff(near) / STEP_NS) - 1, 0).sum()) if len(near) > 1 else 0


def _ns(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
