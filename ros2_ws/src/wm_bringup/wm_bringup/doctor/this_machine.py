"""What the kernel says of this machine."""

import ctypes
import os
import shutil
from glob import glob
from pathlib import Path

from wm_bringup.doctor.observed import Machine

GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
TIMEX_BYTES = 512  # larger than struct timex of any platform; modes, its first member, is 0: read only
UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)


def this_machine() -> Machine:
    """Now; what cannot be read counts as well."""
    try:
        shm = float(shutil.disk_usage("/dev/shm").free)
    except OSError:
        shm = float("inf")
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        shm_free=shm,
        memory_free=_memory_free(),
        governors=tuple(Path(each).read_text().strip() for each in glob(GOVERNORS)),
        synchronised=_synchronised(),
    )


def _memory_free() -> float:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    sizes = {line[0].rstrip(":"): float(line[1]) for line in lines}
    return sizes.get("MemAvailable", sizes["MemTotal"]) / sizes["MemTotal"]


def _synchronised() -> bool | None:
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != UNSYNCHRONISED
