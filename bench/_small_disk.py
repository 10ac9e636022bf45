"""A small disk in memory that can be filled up (Linux, as root)."""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE_MB = 3000  # the recorder stops before less than 1000 are left
FILLER = "filler"


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount one at a new folder; raises PermissionError for who is not root."""
    if os.geteuid() != 0:
        raise PermissionError(f"expected to be root, to mount a small disk at {folder}; leave the fault out")
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave nothing of the disk of a folder."""
    with open(folder / FILLER, "ab") as file:
        while free := shutil.disk_usage(folder).free:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
            except OSError as error:  # somebody else has written meanwhile: ask again
                if error.errno != errno.ENOSPC:
                    raise


def empty(folder: Path) -> None:
    """Give back what `fill` took."""
    (folder / FILLER).unlink(missing_ok=True)
