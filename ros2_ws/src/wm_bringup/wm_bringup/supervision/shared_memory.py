"""Fast DDS's shared memory that killed processes left behind: up to 35 MB for each of them, which nobody else gives back."""

import fcntl
import re
import time
from contextlib import suppress
from pathlib import Path

FOLDER = Path("/dev/shm")
OLD_S = 10.0  # a younger one may be in the making


def clean(folder: Path = FOLDER) -> int:
    """Remove segments whose owner does not live any more, as `fastdds shm clean` does; returns how many. Owners hold a lock."""
    removed = 0
    for lock in folder.glob("fastrtps_*_el"):
        if re.fullmatch(r"fastrtps_[0-9a-f]{16}_el", lock.name) is None:  # a port: Fast DDS mends it itself
            continue
        with suppress(OSError):  # held, gone, or of somebody else
            if time.time() - lock.stat().st_mtime < OLD_S:
                continue
            with open(lock) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
                lock.unlink()
                removed += 1
    return removed
