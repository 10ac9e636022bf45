"""Takes messages from anybody without ever blocking, and writes them in a thread of its own. Pure: no ROS."""

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wm_bags.record.ring import Entry
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter, Storage

PERIOD_S = 0.02  # between two looks of the writing thread at what has come
FREE_S = 0.5  # between two looks at the disk


class Target(Protocol):
    """Where a recording goes: one bag, or one for each event."""

    @property
    def folder(self) -> Path | None: ...
    @property
    def disk(self) -> Path: ...
    @property
    def messages(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    def announce(self, topic: Topic) -> None: ...
    def write(self, topic: Topic, data: bytes, log_ns: int, publish_ns: int) -> None: ...
    def trigger(self, now_ns: int, reason: str) -> None: ...
    def tick(self, now_ns: int) -> None: ...
    def close(self) -> None: ...


class OneBag:
    """Everything into one bag."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        self._writer = BagWriter(folder, storage)
        self.folder: Path | None = self._writer.folder
        self.disk = self._writer.folder

    @property
    def messages(self) -> int:
        return self._writer.messages

    @property
    def size(self) -> int:
        return self._writer.size

    @property
    def dropped(self) -> int:
        return self._writer.dropped

    def announce(self, topic: Topic) -> None:
        self._writer.add_topic(topic)

    def write(self, topic: Topic, data: bytes, log_ns: int, publish_ns: int) -> None:
        self._writer.add_topic(topic)
        self._writer.write(topic.name, data, log_ns, publish_ns)

    def trigger(self, now_ns: int, reason: str) -> None:
        """Nothing to do: it is written anyway."""

    def tick(self, now_ns: int) -> None:
        self._writer.tick()

    def close(self) -> None:
        self._writer.close()


@dataclass(frozen=True)
class Status:
    """How a recording is going."""

    folder: str  # of the bag that is being written
    state: str  # recording, waiting, stopped: why, finished
    messages: int  # in whole chunks
    dropped: int  # taken but not written
    bytes: int  # on disk
    free_bytes: int  # left on the disk
    waiting_bytes: int  # for the writing thread


class Recording:
    """A running recording. What cannot be written is counted; it ends by itself, and cleanly, before the disk is full."""

    def __init__(self, target: Target, max_waiting_bytes: int, min_free_bytes: int) -> None:
        """`max_waiting_bytes`: of messages kept for the writing thread; more are dropped."""
        self._target, self._max_waiting, self._min_free = target, max_waiting_bytes, min_free_bytes
        self._waiting: deque[Entry] = deque()
        self._triggers: deque[tuple[int, str]] = deque()
        self._put_bytes = self._taken_bytes = 0  # each changed by one thread only
        self._refused = self._cleared = 0
        self._stopped = ""
        self._free, self._free_at = shutil.disk_usage(target.disk).free, time.monotonic()
        if self._free < min_free_bytes:
            target.close()
            raise ValueError(self._disk_full())
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bag_writer", daemon=True)
        self._thread.start()

    def put(self, topic: Topic, data: bytes, log_ns: int, publish_ns: int) -> None:
        """Take a message; never blocks. To be called by one thread."""
        if self._stopped or self._put_bytes - self._taken_bytes + len(data) > self._max_waiting:
            self._refused += 1
            return
        self._put_bytes += len(data)
        self._waiting.append((topic, data, log_ns, publish_ns))

    def announce(self, topic: Topic) -> None:
        """A topic exists, whether or not a message follows."""
        self._waiting.append((topic, b"", 0, 0))

    def trigger(self, reason: str) -> None:
        """Something happened that is worth a bag."""
        self._triggers.append((time.time_ns(), reason))

    def status(self) -> Status:
        target = self._target
        folder = target.folder
        state = self._stopped or ("recording" if folder else "waiting")
        dropped = self._refused + self._cleared + target.dropped
        waiting = self._put_bytes - self._taken_bytes
        return Status(str(folder or ""), state, target.messages, dropped, target.size, self._free, max(0, waiting))

    def close(self) -> Status:
        """Write what waits and finish; returns the last status."""
        self._ending.set()
        self._thread.join()
        return self.status()

    # -- the writing thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._ending.wait(PERIOD_S)
            if not self._stopped:
                self._guarded(self._work)
        if not self._stopped:
            self._guarded(self._target.close)
            self._stopped = self._stopped or "finished"

    def _guarded(self, action: Callable[[], None]) -> None:
        """Whatever goes wrong ends the recording, not the robot's run, and what is written stays readable."""
        try:
            action()
        except Exception as error:
            self._stop(str(error))

    def _stop(self, why: str) -> None:
        self._stopped = f"stopped: {why}"
        with suppress(OSError):  # it has been said why
            self._target.close()
        while self._waiting:
            self._cleared += bool(self._waiting.popleft()[1])

    def _work(self) -> None:
        while self._triggers:
            self._target.trigger(*self._triggers.popleft())
        while self._waiting:
            topic, data, log_ns, publish_ns = self._waiting.popleft()
            if data:
                self._taken_bytes += len(data)
                self._target.write(topic, data, log_ns, publish_ns)
            else:
                self._target.announce(topic)
        self._target.tick(time.time_ns())
        if time.monotonic() - self._free_at >= FREE_S:
            self._free, self._free_at = shutil.disk_usage(self._target.disk).free, time.monotonic()
            if self._free < self._min_free:
                self._stop(self._disk_full())

    def _disk_full(self) -> str:
        return (
            f"{self._target.disk}: expected {self._min_free / 1e6:.0f} MB to stay free on the disk, there are"
            f" {self._free / 1e6:.0f} MB; make room, or lower min_free_bytes"
        )
