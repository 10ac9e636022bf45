"""Processes of this machine as their supervisor needs to know them (Linux)."""

import os
import signal
import zlib
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from wm_core.launched import LAUNCHER_PID

GONE_STATES = "ZX"  # ended, not waited for yet
STOPPED_STATES = "Tt"
WORKING_STATES = "RD"  # on a processor or waiting for one, or for a disk


class Condition(Enum):
    GONE = "gone"
    STOPPED = "stopped"  # by a signal or a debugger
    RUNNING = "running"  # computes, or waits for something
    UNKNOWN = "unknown"  # on another machine


class Process(NamedTuple):
    """A process for good: its id may be given to another one after its end, but not with the same start."""

    pid: int
    started: int  # clock ticks since the machine's start; negative: of another machine

    @property
    def away(self) -> bool:
        """Whether it is of another machine, or of a container of its own."""
        return self.started < 0


def process(pid: int) -> Process | None:
    """The process that has this id now, on this machine."""
    fields = _stat(pid)
    return None if fields is None else Process(pid, int(fields[19]))


def far(pid: int, host: str) -> Process:
    """One of another machine or container; ids are given there, too, so that the host is marked by a negative start."""
    return Process(pid, -1 - zlib.crc32(host.encode()))


def find(node: str) -> Process | None:
    """The process of a node that was started by the launcher of this one; it need not have said anything yet."""
    launcher = os.environ.get(LAUNCHER_PID)
    rules = [rule.encode() for rule in (f"__node:={node}", f"{node}:__node:={node}")]  # of one node, of several
    for folder in Path("/proc").glob("[0-9]*") if launcher else ():
        with suppress(OSError):  # ended meanwhile, or of somebody else
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if any(rule in words for rule in rules) and _launcher(int(folder.name)) == launcher:
                return process(int(folder.name))
    return None


def of_another_launch(found: Process) -> bool:
    """Whether another launcher than that of this process has started it; not known of who has none."""
    mine = os.environ.get(LAUNCHER_PID)
    with suppress(OSError):  # ended meanwhile, or of somebody else
        return bool(mine) and _launcher(found.pid) not in (None, mine)
    return False


def condition(found: Process) -> Condition:
    """What the process's main thread does."""
    fields = _stat(found.pid)
    if fields is None or fields[0] in GONE_STATES or int(fields[19]) != found.started:
        return Condition.GONE
    return Condition.STOPPED if fields[0] in STOPPED_STATES else Condition.RUNNING


def kill(found: Process) -> None:
    """SIGKILL, which also ends what is stopped; nothing when it is gone already."""
    if condition(found) is not Condition.GONE:
        with suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)


class Patience:
    """Distinguishes a process that hangs from one that gets on slowly. Times are seconds of a steady clock."""

    def __init__(self, idle: float, longest: float) -> None:
        """`idle` [s]: for which it may do nothing; `longest` [s]: which it may take in all."""
        self._idle, self._longest = idle, longest
        self._seen: dict[int, tuple[float, float, int]] = {}  # by id: first look, last sign of work, CPU time

    def over(self, pid: int, now: float) -> bool:
        """Whether it has had its time. It works when it got processor time, waits for the processor or for a disk."""
        fields = _stat(pid)
        if fields is None:
            return False
        cpu = int(fields[11]) + int(fields[12])
        first, worked, before = self._seen.get(pid, (now, now, cpu))
        if cpu != before or fields[0] in WORKING_STATES:
            worked = now
        self._seen[pid] = first, worked, cpu
        return now - worked > self._idle or now - first > self._longest


def _launcher(pid: int) -> str | None:
    """The process id of the launcher that has started a process, from its environment; raises OSError where that cannot be read."""
    mark = f"{LAUNCHER_PID}=".encode()
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((entry.removeprefix(mark).decode() for entry in entries if entry.startswith(mark)), None)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the command's name: state first, the start is the twentieth; see proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
