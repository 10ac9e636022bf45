"""The newest picture of a run as a PNG file, for whoever has no window: written anew at most once a second, in a thread of its own."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2

from wm_tasks.video import Shot, compose

PERIOD_S = 1.0  # between two pictures


class LatestPicture:
    """Shows shots in `file`, which is replaced as a whole: a viewer never sees half a picture.

    A file that cannot be written is said once, and the run goes on.
    """

    def __init__(self, file: Path, warn: Callable[[str], None]) -> None:
        self._file, self._warn = file, warn
        self._shot: Shot | None = None
        self._due = threading.Condition()
        self._ended = False
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="latest_picture", daemon=True)
        self._thread.start()

    @property
    def wants(self) -> bool:
        """Whether another shot would be written soon; others are made in vain."""
        return self._shot is None

    def show(self, shot: Shot) -> None:
        """Write a shot as soon as the last one is a second old. Returns at once."""
        with self._due:
            self._shot = shot
            self._due.notify()

    def close(self) -> None:
        """Write what is still to be written, and end."""
        with self._due:
            self._ended = True
            self._due.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._due:
                self._due.wait_for(lambda: self._shot is not None or self._ended)
                shot = self._shot
            if shot is None:
                return
            self._write(shot)
            with self._due:
                self._due.wait_for(lambda: self._ended, PERIOD_S)
                self._shot = None if self._shot is shot else self._shot

    def _write(self, shot: Shot) -> None:
        partial = self._file.with_name(f".{self._file.name}.{os.getpid()}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(cv2.imencode(".png", compose(shot)[..., ::-1])[1].tobytes())
            partial.replace(self._file)
        except OSError as error:
            if not self._warned:
                self._warn(f"no latest picture: {error}")
            self._warned = True


def latest_picture(file: str, warn: Callable[[str], None]) -> LatestPicture | None:
    """Where a parameter says; None where it is empty."""
    return LatestPicture(Path(file), warn) if file else None


def announcement(doing: str, no_window: str, picture: str) -> str:
    """The line that a run begins with: what is being done, and where it can be seen. `no_window`: why not; empty: there is one."""
    if not no_window:
        return doing
    where = f"; the latest picture, camera beside imagined future: {picture}" if picture else ""
    return f"{doing}; no window ({no_window}){where}"
