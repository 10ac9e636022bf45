"""What a training says while it runs: a line on the console with the time left, and TensorBoard curves."""

import time
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

LINES = 20  # on the console per phase
CURVE_EVERY = 10  # steps between points of a curve


class Report:
    """Averages of the reported numbers, twenty times a phase; every tenth step goes to TensorBoard under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))
        self._began: tuple[str, int, float] | None = None
        self._sums: dict[str, list[float]] = {}

    def step(self, phase: str, step: int, steps: int, numbers: dict[str, float]) -> None:
        """Report step `step` (from 1) of `steps`."""
        if self._began is None or self._began[0] != phase:
            self._began, self._sums = (phase, step - 1, time.monotonic()), {}
        for name, value in numbers.items():
            self._sums.setdefault(name, []).append(value)
            if step % CURVE_EVERY == 0:
                self._writer.add_scalar(f"{phase}/{name}", value, step)
        if step % max(1, steps // LINES) == 0 or step == steps:
            _, first, since = self._began
            left = (time.monotonic() - since) / (step - first) * (steps - step)
            bar = "#" * round(20 * step / steps)
            averages = "  ".join(f"{name} {np.nanmean(values):.3g}" for name, values in self._sums.items())
            print(f"{phase} [{bar:<20}] {step}/{steps}  {averages}  {left:.0f} s left", flush=True)
            self._sums = {}

    def held_out(self, phase: str, step: int, loss: float) -> None:
        """Report a held-out loss."""
        self._writer.add_scalar(f"{phase}/held_out", loss, step)
        print(f"{phase} step {step}: held-out loss {loss:.4g}", flush=True)

    def close(self) -> None:
        """Write what is left to write."""
        self._writer.close()
