"""Training of any family: phases of steps, resumable at any moment to the same result, on one or several processes.

All randomness of a step comes from (seed, phase, step), so a run that was killed goes on as if nothing had happened.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wm_learning.training.parallel import ALONE, Processes
from wm_learning.training.report import Report

WARM_UP = 0.05  # share of a phase in which the rate rises
FINAL_RATE = 1e-3  # share of the rate at the end of a phase
GRADIENT_NORM = 5.0


class Draw:
    """The randomness of one step: the same in every process, which then takes its own part of the batch."""

    def __init__(self, key: Sequence[int], processes: Processes = ALONE, device: str | torch.device = "cpu") -> None:
        """`key`: what the randomness comes from, e.g. seed, phase and step."""
        self.rng = np.random.default_rng(key)
        self.generator = torch.Generator().manual_seed(int(self.rng.integers(2**62)))
        self.device = torch.device(device)
        self._processes = processes

    def mine(self, batch: Any) -> Any:
        """This process's part of something drawn for the whole batch (b, ...)."""
        return batch[self._processes.rank :: self._processes.count]

    def tensor(self, values: Any) -> Tensor:
        """Values of this process's part, as a tensor on the device."""
        return torch.as_tensor(values).to(self.device)


# Loss of one batch and numbers to report.
Loss = Callable[[Draw], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Phase:
    """One stage of a training."""

    name: str
    steps: int
    rate: float
    loss: Loss
    parameters: Iterable[nn.Parameter]
    prepare: Callable[[], None] = lambda: None  # called once before the first step, also when resumed
    validate: Callable[[], float] | None = None  # held-out loss, for early stopping
    validate_every: int = 0
    patience: int = 0  # validations without improvement until the phase ends; 0: never
    weight_decay: float = 1e-4


@dataclass
class _State:
    """Where a training is; all of it is in a checkpoint."""

    phase: int = 0
    step: int = 0
    best: float = math.inf
    stale: int = 0
    best_model: dict[str, Tensor] | None = None
    spent_s: float = 0.0


class Trainer:
    """Runs the phases of one training; `folder` holds its checkpoint and logs."""

    def __init__(
        self,
        model: nn.Module,
        folder: Path,
        seed: int,
        checkpoint_s: float = 60.0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.model = model.to(device)
        self.processes = Processes.join()
        self._device = torch.device(device)
        self._file = folder / "checkpoint.pt"
        self._seed = seed
        self._report = Report(folder) if self.processes.first else None
        self._checkpoint_s = checkpoint_s
        self._state = _State()

    def run(self, phases: list[Phase]) -> float:
        """Train through all phases, from the checkpoint if there is one; returns the seconds spent in all."""
        saved = self._load()
        began = time.monotonic() - self._state.spent_s
        while self._state.phase < len(phases):
            self._run_phase(phases, saved, began)
            saved = None
            self._state.phase, self._state.step = self._state.phase + 1, 0
            self._state.best, self._state.stale, self._state.best_model = math.inf, 0, None
            self._save(None, began)
        if self._report is not None:
            self._report.close()
        return time.monotonic() - began

    # -- inside --------------------------------------------------------------------------------------------------

    def _run_phase(self, phases: list[Phase], saved: dict[str, Any] | None, began: float) -> None:
        state, phase = self._state, phases[self._state.phase]
        phase.prepare()
        parameters = list(phase.parameters)
        optimizer = torch.optim.AdamW(parameters, phase.rate, weight_decay=phase.weight_decay)
        if saved is not None and saved["optimizer"] is not None:
            optimizer.load_state_dict(saved["optimizer"])
        last_save = time.monotonic()
        while state.step < phase.steps:
            for group in optimizer.param_groups:
                group["lr"] = phase.rate * rate_factor(state.step, phase.steps)
            draw = Draw((self._seed, state.phase, state.step), self.processes, self._device)
            self._update(phase, optimizer, parameters, draw)
            state.step += 1
            due = phase.validate and phase.validate_every and state.step % phase.validate_every == 0
            if due and self._exhausted(phase):
                break
            if time.monotonic() - last_save > self._checkpoint_s:
                self._save(optimizer, began)
                last_save = time.monotonic()
        if state.best_model is not None:
            self.model.load_state_dict(state.best_model)

    def _update(
        self, phase: Phase, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], draw: Draw
    ) -> None:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            loss, numbers = phase.loss(draw)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"{phase.name}, step {self._state.step}: training diverged, the loss is {loss.item()}; lower the learning rate"
                " or check the data for NaN"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
        optimizer.step()
        numbers = self.processes.average({"loss": loss.item(), **numbers})
        if self._report is not None:
            self._report.step(phase.name, self._state.step + 1, phase.steps, numbers)

    def _exhausted(self, phase: Phase) -> bool:
        """Validate; keep the best model; True when it has not become better for too long."""
        state = self._state
        self.model.eval()
        with torch.no_grad():
            value = phase.validate()  # type: ignore[misc]
        self.model.train()
        if self._report is not None:
            self._report.held_out(phase.name, state.step, value)
        if value < state.best:
            state.best, state.stale = value, 0
            state.best_model = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        else:
            state.stale += 1
        return 0 < phase.patience <= state.stale

    def _save(self, optimizer: torch.optim.Optimizer | None, began: float) -> None:
        """Replace the checkpoint in one rename: a kill leaves the old one or the new one."""
        if not self.processes.first:
            return
        self._state.spent_s = time.monotonic() - began
        part = self._file.with_suffix(".part")
        content = {
            "state": self._state.__dict__,
            "model": self.model.state_dict(),
            "optimizer": optimizer.state_dict() if optimizer else None,
        }
        torch.save(content, part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.replace(self._file)

    def _load(self) -> dict[str, Any] | None:
        if not self._file.exists():
            return None
        try:
            saved = torch.load(self._file, map_location=self._device, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self._state = _State(**saved["state"])
        except Exception as error:  # torch raises many kinds for a torn file or one of another model
            raise ValueError(
                f"{self._file}: expected the checkpoint of this training, got {type(error).__name__}: {str(error)[:200]};"
                f" remove {self._file.parent} to begin again"
            ) from error
        return saved


def rate_factor(step: int, steps: int) -> float:
    """Share of the learning rate at a step: a linear rise, then half a cosine."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    return FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * share))
