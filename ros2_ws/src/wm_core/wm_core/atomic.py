"""Folders that appear complete or not at all, files that are on the disk, and workers that do not outlive their parent."""

import ctypes
import errno
import fcntl
import glob
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

from wm_core.workers import end_quietly

_LOCK = ".lock"
WORKERS_END_S = 5.0  # those of a killed writer, which hold its lock with it, end a moment after it
_AT_FDCWD, _EXCHANGE, _DEATH_SIGNAL = -100, 2, 1  # linux/fcntl.h, linux/fs.h, linux/prctl.h


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty part folder to write into; when the block ends well it takes the place of `folder` in one rename.

    Where `folder` is a symbolic link, what it points to is replaced, on its own disk, and the link stays.
    A kill at any moment leaves what was there before, or the new one. What killed writers left behind is removed first;
    their locks, which end with them, tell it from what another process is writing now.
    """
    folder = Path(os.path.realpath(folder))
    made = not folder.parent.exists()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.part"):
        wait_s = 0.0 if Path("/proc", left.name.split(".")[-2]).exists() else WORKERS_END_S
        with suppress(BlockingIOError, FileNotFoundError), _locked(left, wait_s):
            shutil.rmtree(left)
    work = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    work.mkdir()
    try:
        with _locked(work):
            yield work
            (work / _LOCK).unlink()
            if folder.exists():
                _exchange(work, folder)
            else:
                work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if made:
            with suppress(OSError):  # not empty: the new folder lies there
                folder.parent.rmdir()


@contextmanager
def _locked(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of a part folder; raises BlockingIOError when a living process has it for longer than `wait_s`."""
    deadline = time.monotonic() + wait_s
    with open(folder / _LOCK, "w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        yield


def _exchange(a: Path, b: Path) -> None:
    """Swap two folders in one system call (renameat2); where a file system cannot, in two renames."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS, errno.EXDEV):
        raise OSError(code, os.strerror(code), str(b))
    aside = a.with_name(f"{a.name}-old")
    b.rename(aside)
    a.rename(b)
    aside.rename(a)


def die_with_parent(parent: int | None = None) -> None:
    """Initialiser of worker processes: the kernel ends them when their parent is killed, so none goes on writing.

    `parent`: its process id, if it may have been killed before this; it must be what made this process, not a fork server.
    """
    end_quietly()
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Forked workers that end with this process, however it ends."""
    return ProcessPoolExecutor(workers, get_context("fork"), die_with_parent, (os.getpid(),))


def synced_copy(source: Path, target: Path) -> None:
    """Copy a file; it is on the disk when this returns."""
    shutil.copyfile(source, target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def write_synced(file: Path, text: str) -> None:
    """Write a file; it is on the disk when this returns."""
    with open(file, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def replace_synced(file: Path, text: str) -> None:
    """Write a file in one rename: a kill at any moment leaves what was there before, or the new one. On the disk when this returns."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        write_synced(part, text)
        part.replace(file)
        sync_folder(file.parent)
    finally:
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable; some file systems cannot."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
