"""The search around a plan while it is carried out: iCEM, CEM, MPPI or gradient descent over a few displacements of the tool."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wm_planner.planners.base import coloured_noise

KINDS = ("icem", "cem", "mppi", "gradient")
KEPT = 3  # plans of an iteration that the next one begins with
ELITES = 8
STEPS_LEFT = 2  # shortest plan
GIVEN = 5  # first candidates, which are not drawn


@dataclass(frozen=True)
class Search:
    """`kind`: one of KINDS; `samples` in each of `iterations`; `spread` (6,): of displacements [m, rad]."""

    kind: str = "icem"
    samples: int = 28
    iterations: int = 2
    spread: tuple[float, ...] = (0.010, 0.010, 0.0, 0.1, 0.0, 0.0)
    temperature: float = 0.004  # [m] of cost, of MPPI

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"expected a search out of {', '.join(KINDS)}, got '{self.kind}'")

    def best(
        self,
        plan: np.ndarray,
        limit: np.ndarray,
        cost: Callable[[np.ndarray], np.ndarray],
        rng: np.random.Generator,
        late: Callable[[], bool] = lambda: False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best displacements (H, 6) around `plan` (H, 6), and their cost at each step (H,). `cost`: (N, H, 6) -> (N, H).

        A plan is judged where it ends: after that its displacements are zero.
        """
        horizon = len(plan)
        mean, spread = plan.copy(), np.tile(np.array(self.spread), (horizon, 1))
        best: tuple[float, np.ndarray, np.ndarray] | None = None
        kept = np.empty((0, horizon, 6))
        for iteration in range(self.iterations):
            if best is not None and late():
                break
            noise = coloured_noise(rng, self.samples, horizon, 6, 0.0 if self.kind in ("cem", "mppi") else 2.0)
            if self.kind == "gradient":
                noise = _paired(noise)
            candidates = mean + spread * noise
            candidates[0] = mean
            if iteration == 0:
                candidates[1] = 0.0
                candidates[2, :-1], candidates[2, -1] = plan[1:], 0.0
                candidates[3], candidates[4] = 0.5 * mean, 1.3 * mean
            lasting = rng.integers(STEPS_LEFT, horizon + 1, self.samples)
            lasting[:GIVEN] = horizon
            if self.kind == "gradient":
                lasting[:] = horizon
            candidates *= (np.arange(horizon) < lasting[:, None])[..., None]
            if len(kept):
                candidates[-len(kept) :] = kept
            candidates = np.clip(candidates, -limit, limit)
            along = cost(candidates)
            judged = _judged(candidates, along)
            order = np.argsort(judged)
            first = order[0]
            if best is None or judged[first] < best[0]:
                best = float(judged[first]), candidates[first], along[first]
            elites = candidates[order[:ELITES]]
            if self.kind == "gradient":
                mean = candidates[first] - spread * _slope(judged, noise)
            elif self.kind == "mppi":
                weight = np.exp(-(judged - judged[first]) / self.temperature)
                mean = (weight[:, None, None] * candidates).sum(0) / weight.sum()
            else:
                mean = 0.9 * elites.mean(0) + 0.1 * mean
                spread = np.maximum(elites.std(0), 0.3 * spread)
            kept = elites[:KEPT] if self.kind == "icem" else kept
        assert best is not None
        return best[1], best[2]


def _paired(noise: np.ndarray) -> np.ndarray:
    """Noise (N, H, 6) whose second half is the first one in the opposite direction."""
    half = len(noise) // 2
    return np.concatenate([noise[:half], -noise[:half], noise[2 * half :]])


def _slope(judged: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The direction (H, 6) in which costs (N,) rise, of largest entry 1: simultaneous perturbation (Spall 1992)."""
    half = len(noise) // 2
    pairs = np.arange(GIVEN, half)
    slope = ((judged[pairs] - judged[pairs + half])[:, None, None] * noise[pairs]).sum(0)
    return slope / max(float(np.abs(slope).max()), 1e-12)


def _judged(candidates: np.ndarray, along: np.ndarray) -> np.ndarray:
    """One number (N,) for candidates (N, H, 6) with costs at each step (N, H): mostly where they end, and a little how smooth they are."""
    rough = np.abs(np.diff(candidates[..., :2], axis=1)).sum((1, 2))
    return 0.25 * along[:, :-1].mean(1) + 2.0 * along[:, -1] + 0.006 * rough
