"""The interface of all planners, and what they share."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Clip = Callable[[np.ndarray], np.ndarray]  # actions (..., A) -> the nearest that are allowed, float32
# Costs (N,) of action sequences (N, H, A) float32; one call is one batched rollout of the world model.
Evaluate = Callable[[np.ndarray], np.ndarray]


class PlanningError(RuntimeError):
    """No usable plan: every candidate's cost is not a number."""


@dataclass(frozen=True)
class PlanResult:
    """Outcome of one planning cycle."""

    actions: np.ndarray  # (H, A) float32, allowed
    cost: float
    iterations: int
    candidates: int
    deadline_missed: bool
    samples: np.ndarray  # (N, H, A) candidates of the last iteration
    costs: np.ndarray  # (N,) their costs

    @staticmethod
    def unsearched(actions: np.ndarray) -> "PlanResult":
        """Actions (H, A) that nothing was compared with; their cost is not known."""
        return PlanResult(actions, np.nan, 0, 1, False, actions[None], np.array([np.nan]))


class Planner(ABC):
    """Searches the action sequence of least cost. Subclasses fill `_search`."""

    name = ""

    def __init__(self, horizon: int, action_size: int, seed: int = 0) -> None:
        self.horizon = horizon
        self.action_size = action_size
        self.clip: Clip = to_unit_disk
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Forget warm starts and begin the random sequence anew."""
        self._rng = np.random.default_rng(self._seed)

    def plan(
        self,
        evaluate: Evaluate,
        start: np.ndarray | None = None,
        deadline_s: float | None = None,
        seeds: np.ndarray | None = None,
    ) -> PlanResult:
        """Plan once.

        `start`: (H, A) actions to begin from, e.g. the last plan shifted by one step. `deadline_s`: value of
        time.monotonic() at which the best so far is returned. `seeds`: (M, H, A) more candidates of the first iteration,
        e.g. what a policy would do. Raises PlanningError when no candidate has a finite cost.
        """
        mean = (
            np.zeros((self.horizon, self.action_size), np.float32) if start is None else np.asarray(start, np.float32)
        )
        if mean.shape != (self.horizon, self.action_size):
            raise ValueError(f"expected start actions of shape {(self.horizon, self.action_size)}, got {mean.shape}")
        more = np.empty((0, *mean.shape), np.float32) if seeds is None else np.asarray(seeds, np.float32)
        if more.shape[1:] != mean.shape:
            raise ValueError(f"expected seeds of shape (M, {self.horizon}, {self.action_size}), got {more.shape}")
        search = _Search(evaluate, deadline_s)
        self._search(search, mean, more)
        return search.result()

    @abstractmethod
    def _search(self, search: "_Search", mean: np.ndarray, seeds: np.ndarray) -> None:
        """Evaluate candidates through `search` until done or `search.late()`; `seeds` (M, H, A) among the first."""


class _Search:
    """Counts, keeps the best candidate, and watches the deadline."""

    def __init__(self, evaluate: Evaluate, deadline_s: float | None) -> None:
        self._evaluate = evaluate
        self._deadline = deadline_s
        self._longest = 0.0
        self._iterations = 0
        self._candidates = 0
        self._missed = False
        self._best: np.ndarray | None = None
        self._best_cost = np.inf
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def evaluate(self, actions: np.ndarray) -> np.ndarray:
        """Costs (N,) of candidates (N, H, A); not-a-number counts as infinite."""
        began = time.monotonic()
        costs = np.asarray(self._evaluate(actions), float)
        costs = np.where(np.isnan(costs), np.inf, costs)
        best = int(np.argmin(costs))
        if costs[best] < self._best_cost:
            self._best, self._best_cost = actions[best].copy(), float(costs[best])
        self._iterations += 1
        self._candidates += len(actions)
        self._last = (actions, costs)
        self._longest = max(self._longest, time.monotonic() - began)
        return costs

    def late(self) -> bool:
        """Ask before each iteration: whether it would pass the deadline; then the cycle ends with the best so far."""
        if self._deadline is not None and self._iterations and time.monotonic() + self._longest > self._deadline:
            self._missed = True
        return self._missed

    def result(self) -> PlanResult:
        if self._best is None or self._last is None:
            raise PlanningError(
                "expected finite costs, every candidate's cost is not finite; the belief or the model is broken"
            )
        missed = self._missed or (self._deadline is not None and time.monotonic() > self._deadline)
        return PlanResult(self._best, self._best_cost, self._iterations, self._candidates, missed, *self._last)


def to_unit_disk(actions: np.ndarray) -> np.ndarray:
    """Actions (..., A) shortened to length 1 where longer."""
    norm = np.linalg.norm(actions, axis=-1, keepdims=True)
    return (actions / np.maximum(norm, 1.0)).astype(np.float32)


def coloured_noise(rng: np.random.Generator, count: int, steps: int, size: int, beta: float) -> np.ndarray:
    """Noise (count, steps, size) of unit variance with power spectrum 1 / f^beta (Timmer and Koenig 1995); beta 0 is white."""
    if steps == 1 or beta == 0:
        return rng.standard_normal((count, steps, size))
    frequencies = np.fft.rfftfreq(steps)
    frequencies[0] = 1 / steps
    scale = frequencies ** (-beta / 2)
    # Weight of each bin in the variance of the real signal: all but the first and an even length's last count twice.
    twice = np.full(len(scale), 2.0)
    twice[0] = 1.0
    if steps % 2 == 0:
        twice[-1] = 1.0
    sigma = np.sqrt((twice * scale**2).sum()) / steps
    shape = (count, size, len(scale))
    spectrum = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * scale / np.sqrt(2)
    # Bins that are real carry all their power in the real part.
    spectrum[..., 0] = rng.standard_normal(shape[:2]) * scale[0]
    if steps % 2 == 0:
        spectrum[..., -1] = rng.standard_normal(shape[:2]) * scale[-1]
    return np.fft.irfft(spectrum, steps, axis=-1).transpose(0, 2, 1) / sigma
