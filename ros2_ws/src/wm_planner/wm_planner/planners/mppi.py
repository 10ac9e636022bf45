"""Model predictive path integral control (Williams et al. 2017): all candidates, weighted by exp(-cost / temperature)."""

from dataclasses import dataclass

import numpy as np

from wm_planner.planners.base import Planner, _Search, coloured_noise


@dataclass(frozen=True)
class MPPIParams:
    samples: int = 160  # candidates per iteration
    iterations: int = 3
    std: float = 0.6  # of the sampled actions in the first iteration
    std_decay: float = 0.7  # per iteration
    temperature: float = 0.08  # relative to the spread of the costs
    noise_beta: float = 2.0  # colour of the noise


class MPPI(Planner):
    name = "mppi"

    def __init__(self, horizon: int, action_size: int, seed: int = 0, params: MPPIParams | None = None) -> None:
        self.params = params or MPPIParams()
        super().__init__(horizon, action_size, seed)

    def _search(self, search: _Search, mean: np.ndarray, seeds: np.ndarray) -> None:
        params = self.params
        std = params.std
        for _ in range(params.iterations):
            if search.late():
                return
            noise = coloured_noise(self._rng, params.samples, self.horizon, self.action_size, params.noise_beta)
            candidates = self.clip(mean + std * noise)
            candidates[0] = self.clip(mean)
            candidates, seeds = np.concatenate([candidates, seeds]), seeds[:0]
            costs = search.evaluate(candidates)
            finite = np.isfinite(costs)
            if not finite.any():
                return
            lowest = costs[finite].min()
            scale = params.temperature * max(1e-6, float(np.median(costs[finite]) - lowest))
            weights = np.where(finite, np.exp(-np.minimum((costs - lowest) / scale, 700)), 0)
            mean = np.tensordot(weights / weights.sum(), candidates, 1).astype(np.float32)
            std *= params.std_decay
        search.evaluate(self.clip(mean)[None])
