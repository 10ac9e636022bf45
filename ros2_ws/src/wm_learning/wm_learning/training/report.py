"""What a training says while it runs: how far it is and how long it takes, and TensorBoard curves."""

import shutil
import sys
import time
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

LINES = 20  # in a log, per phase
REFRESH_S = 0.5  # between changes of the line on a terminal
CURVE_EVERY = 10  # steps between points of a curve


class Report:
    """On a terminal one line per phase that is kept up to date, in a log twenty; curves under `folder`.

    Numbers are averages since the log's last line.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))
        self._terminal = sys.stdout.isatty()
        self._began: tuple[str, int, float] | None = None
        self._sums: dict[str, list[float]] = {}
        self._drawn = 0.0

    def step(self, phase: str, step: int, steps: int, numbers: dict[str, float]) -> None:
        """Report step `step` (from 1) of `steps`."""
        if self._began is None or self._began[0] != phase:
            self._began, self._sums = (phase, step - 1, time.monotonic()), {}
        for name, value in numbers.items():
            self._sums.setdefault(name, []).append(value)
            if step % CURVE_EVERY == 0:
                self._writer.add_scalar(f"{phase}/{name}", value, step)
        due = step % max(1, steps // LINES) == 0 or step == steps
        if self._terminal and (due or time.monotonic() - self._drawn > REFRESH_S):
            columns = shutil.get_terminal_size().columns
            end = "\n" if step == steps else ""
            print(f"\r\033[K{self._line(step, steps)[: columns - 1]}", end=end, flush=True)
            self._drawn = time.monotonic()
        elif due:
            print(self._line(step, steps), flush=True)
        if due:
            self._sums = {}

    def _line(self, step: int, steps: int) -> str:
        phase, first, since = self._began  # type: ignore[misc]
        left = (time.monotonic() - since) / (step - first) * (steps - step)
        bar = "#" * round(20 * step / steps)
        known = {name: [value for value in values if np.isfinite(value)] for name, values in self._sums.items()}
        averages = "  ".join(f"{name} {np.mean(values):.3g}" for name, values in known.items() if values)
        return f"{phase} [{bar:<20}] {step}/{steps}, {duration(left)} left  {averages}"

    def held_out(self, phase: str, step: int, loss: float) -> None:
        """Report a held-out loss."""
        self._writer.add_scalar(f"{phase}/held_out", loss, step)
        clear = "\r\033[K" if self._terminal else ""
        print(f"{clear}{phase} step {step}: held-out loss {loss:.4g}", flush=True)

    def close(self) -> None:
        """Write what is left to write."""
        self._writer.close()


def duration(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
