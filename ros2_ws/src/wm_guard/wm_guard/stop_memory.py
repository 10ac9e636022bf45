"""An emergency stop outlives the guard: a file says that it is set, for the guard that is started after this one died."""

from pathlib import Path


class StopMemory:
    """A file that exists while the emergency stop is set. Without one nothing is kept."""

    def __init__(self, file: str) -> None:
        """`file`: its path; empty: none."""
        self._file = Path(file) if file else None

    @property
    def stopped(self) -> bool:
        """Whether it was set by a guard before this one, and not reset."""
        return self._file is not None and self._file.exists()

    def keep(self, stopped: bool) -> None:
        """Raises OSError where the file cannot be written or removed."""
        if self._file is None:
            return
        if stopped:
            self._file.touch()
        else:
            self._file.unlink(missing_ok=True)
