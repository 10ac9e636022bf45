"""Everything that was experienced, as windows of steps within episodes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Episode:
    """T actions and the states around them."""

    states: np.ndarray  # (T + 1, S) float32
    actions: np.ndarray  # (T, A) float32, |a| <= 1
    rewards: np.ndarray  # (T,) float32
    terminated: bool  # it ended by itself, not by the limit of time
    success: bool


@dataclass(frozen=True)
class Windows:
    """B windows of H actions; what lies beyond the end of an episode has weight 0."""

    states: Tensor  # (B, H + 1, S)
    actions: Tensor  # (B, H, A)
    rewards: Tensor  # (B, H)
    terminal: Tensor  # (B, H): 1 where the state after the action is the last one
    weights: Tensor  # (B, H)


_NAMES = ("state", "action", "reward", "following", "terminal", "last")


class Replay:
    """All steps so far, in memory."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {name: [] for name in _NAMES}
        self._arrays: dict[str, np.ndarray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, episode: Episode) -> None:
        steps = len(episode.actions)
        terminal = np.zeros(steps, np.float32)
        terminal[-1] = episode.terminated
        values = (
            episode.states[:-1],
            episode.actions,
            episode.rewards,
            episode.states[1:],
            terminal,
            np.full(steps, self._count + steps - 1),
        )
        for name, value in zip(_NAMES, values, strict=True):
            self._parts[name].append(value)
        self._arrays.clear()
        self._count += steps

    def array(self, name: str) -> np.ndarray:
        """All steps (n, ...) of `state`, `action`, `reward`, `following` (the state after it), `terminal`, `last` (step of the episode)."""
        if name not in self._arrays:
            self._arrays[name] = np.concatenate(self._parts[name])
        return self._arrays[name]

    def draw(self, rng: np.random.Generator, count: int, horizon: int) -> Windows:
        """Windows that begin at steps drawn evenly."""
        first = rng.integers(self._count, size=count)
        steps = first[:, None] + np.arange(horizon)
        last = self.array("last")[first, None]
        weights = (steps <= last).astype(np.float32)
        steps = np.minimum(steps, last)
        states = np.concatenate([self.array("state")[first, None], self.array("following")[steps]], 1)
        rest = (self.array(name)[steps] for name in ("action", "reward", "terminal"))
        return Windows(*(torch.from_numpy(values) for values in (states, *rest, weights)))

    def state_dict(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(self.array(name)) for name in _NAMES}

    def load_state_dict(self, values: dict[str, Tensor]) -> None:
        self._parts = {name: [values[name].numpy()] for name in _NAMES}
        self._arrays.clear()
        self._count = len(values["state"])
