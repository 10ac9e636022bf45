"""What if: checks an Imagine request and runs it."""

import numpy as np

from wm_core.futures import Futures
from wm_dynamics.rollout import RolloutEngine

MOST_STEPS = 12_288  # branches x horizon of one request, short horizons counted as SHORTEST: tens of milliseconds
SHORTEST = 12  # steps that one call of the rollout graph computes in any case
LONGEST = 240  # steps: longer futures are many calls one after another, and the belief waits meanwhile


class ImagineError(ValueError):
    """A request that cannot be answered: says what was expected and what came."""


def parse_actions(values: np.ndarray, branches: int, horizon: int, action_size: int) -> np.ndarray:
    """Actions (branches, horizon, A) float32 of a flat request; raises ImagineError."""
    if branches < 1 or horizon < 1:
        raise ImagineError(f"expected at least one branch and one step, got {branches} and {horizon}")
    if horizon > LONGEST or branches * max(horizon, SHORTEST) > MOST_STEPS:
        raise ImagineError(
            f"expected at most {LONGEST} steps and {MOST_STEPS} steps of all branches together, got {branches} x {horizon}"
        )
    actions = np.asarray(values, np.float32)
    if actions.size != branches * horizon * action_size:
        raise ImagineError(f"expected {branches} x {horizon} x {action_size} numbers, got {actions.size}")
    if not np.isfinite(actions).all() or np.abs(actions).max() > 1:
        raise ImagineError("expected finite actions within -1..1")
    return actions.reshape(branches, horizon, action_size)


def draw_steps(horizon: int, most: int) -> list[int]:
    """Up to `most` steps (1-based) spread over a horizon, the last included."""
    return sorted({round(step) for step in np.linspace(1, horizon, min(most, horizon))})


def draw(engine: RolloutEngine, latent: np.ndarray, futures: Futures, steps: list[int]) -> np.ndarray:
    """Top views (k, rows, columns, 3) uint8 of branch 0 at `steps` (1-based).

    The positions are the imagined ones; the looks are those of the belief that the future starts from, because the
    rollout graph returns positions at every step but the whole latent only at its end.
    """
    latents = np.tile(np.asarray(latent, np.float32), (len(steps), 1))
    for row, step in zip(latents, steps, strict=True):
        row[: futures.readout.shape[-1]] = futures.readout[:, 0, step - 1].mean(
            0
        )  # a latent begins with what is read out
    return engine.decode(latents)[0]
