"""Cross-entropy method (Rubinstein 1999): refit a Gaussian to the elites."""

from dataclasses import dataclass

import numpy as np

from wm_planner.planners.base import Planner, _Search


@dataclass(frozen=True)
class CEMParams:
    samples: int = 160  # candidates per iteration
    iterations: int = 3
    elites: int = 16
    std: float = 0.6  # of the first iteration
    min_std: float = 0.05


class CEM(Planner):
    name = "cem"

    def __init__(self, horizon: int, action_size: int, seed: int = 0, params: CEMParams | None = None) -> None:
        self.params = params or CEMParams()
        super().__init__(horizon, action_size, seed)

    def _search(self, search: _Search, mean: np.ndarray, seeds: np.ndarray) -> None:
        params = self.params
        std = np.full_like(mean, params.std)
        for _ in range(params.iterations):
            if search.late():
                return
            noise = self._rng.standard_normal((params.samples, *mean.shape))
            candidates = self.clip(mean + std * noise)
            candidates[0] = self.clip(mean)
            candidates, seeds = np.concatenate([candidates, seeds]), seeds[:0]
            costs = search.evaluate(candidates)
            elites = candidates[np.argsort(costs)[: params.elites]]
            mean = elites.mean(0)
            std = np.maximum(elites.std(0), params.min_std)
