"""What a launched process owes its launcher: it does not outlive it, and its exit status says whether a restart is of use."""

import ctypes
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

LAUNCHER_PID = "WM_LAUNCHER_PID"  # environment variable: die with the process of this id
CANNOT_RUN = os.EX_CONFIG  # exit status: this cannot be run as it was asked for, and trying again does not help
GRACE_S = 10.0  # for a clean end
LOOK_S = 0.5
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_launcher(clean: bool = False) -> None:
    """To be called first in a main, from its main thread. Does nothing where no launcher has asked for it.

    A launcher that is killed, or that forgets its children on SIGTERM as ros2 launch does, leaves no process behind. `clean`:
    SIGTERM first, for those that have something to finish; SIGKILL after GRACE_S.
    """
    launcher = int(os.environ.get(LAUNCHER_PID, "0"))
    if not launcher:
        return
    number = signal.SIGTERM if clean else signal.SIGKILL
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if not _lives(launcher):  # it died before the kernel was asked
        os.kill(os.getpid(), number)
    if clean:
        threading.Thread(target=_outlive_briefly, args=(launcher,), daemon=True).start()


def _outlive_briefly(launcher: int) -> None:
    while _lives(launcher):
        time.sleep(LOOK_S)
    with suppress(ProcessLookupError):
        time.sleep(GRACE_S)
        os.kill(os.getpid(), signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
