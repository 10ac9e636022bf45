"""iCEM (Pinneri et al. 2020): CEM with coloured noise, kept elites, a shrinking population, and the best candidate executed."""

from dataclasses import dataclass

import numpy as np

from wm_planner.planners.base import Planner, _Search, coloured_noise


@dataclass(frozen=True)
class ICEMParams:
    samples: int = 48  # candidates of the first iteration
    iterations: int = 2  # more of both is not better: the search goes on from the last plan, ten times a second
    elites: int = 12
    kept: float = 0.4  # share of the elites kept for the next iteration
    shrink: float = 1.25  # population divided by this per iteration
    std: float = 0.6  # of the first iteration
    min_std: float = 0.05
    momentum: float = 0.1  # share of the old mean and std kept in an update
    noise_beta: float = 2.0  # colour of the noise


class ICEM(Planner):
    name = "icem"

    def __init__(self, horizon: int, action_size: int, seed: int = 0, params: ICEMParams | None = None) -> None:
        self.params = params or ICEMParams()
        super().__init__(horizon, action_size, seed)

    def reset(self) -> None:
        super().reset()
        self._kept = np.empty((0, self.horizon, self.action_size), np.float32)

    def _search(self, search: _Search, mean: np.ndarray, seeds: np.ndarray) -> None:
        params = self.params
        std = np.full_like(mean, params.std)
        # The last cycle's elites, shifted by the step that has passed.
        kept = np.concatenate([np.concatenate([self._kept[:, 1:], self._kept[:, -1:]], 1), seeds])
        for iteration in range(params.iterations):
            if search.late():
                return
            count = max(2 * params.elites, round(params.samples / params.shrink**iteration))
            noise = coloured_noise(self._rng, count, self.horizon, self.action_size, params.noise_beta)
            fresh = self.clip(mean + std * noise)
            fresh[0] = self.clip(mean)
            candidates = np.concatenate([fresh, kept])
            costs = search.evaluate(candidates)
            elites = candidates[np.argsort(costs)[: params.elites]]
            mean = params.momentum * mean + (1 - params.momentum) * elites.mean(0)
            std = np.maximum(params.momentum * std + (1 - params.momentum) * elites.std(0), params.min_std)
            kept = elites[: round(params.kept * params.elites)]
            self._kept = kept
