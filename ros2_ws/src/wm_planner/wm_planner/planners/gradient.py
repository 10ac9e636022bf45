"""Gradient descent with Adam on several action sequences at once.

The runtime has no automatic differentiation, so gradients are central differences, all of them evaluated in one batched
rollout per iteration: exact enough for a smooth model, and the same for every model family.
"""

from dataclasses import dataclass

import numpy as np

from wm_planner.planners.base import Planner, _Search, coloured_noise


@dataclass(frozen=True)
class GradientParams:
    starts: int = 4  # sequences refined side by side
    iterations: int = 4
    rate: float = 0.3  # Adam step
    difference: float = 0.05  # half width of the central difference
    std: float = 0.6  # of the random starts
    noise_beta: float = 2.0


class Gradient(Planner):
    name = "gradient"

    def __init__(self, horizon: int, action_size: int, seed: int = 0, params: GradientParams | None = None) -> None:
        self.params = params or GradientParams()
        super().__init__(horizon, action_size, seed)

    def _search(self, search: _Search, mean: np.ndarray, seeds: np.ndarray) -> None:
        params, size = self.params, mean.size
        # The best of a few random starts, and the warm start.
        steps, width = mean.shape
        noise = coloured_noise(self._rng, 24 * params.starts, steps, width, params.noise_beta)
        pool = self.clip(mean + params.std * noise)
        pool[0] = self.clip(mean)
        pool = np.concatenate([pool, seeds])
        order = np.argsort(search.evaluate(pool))
        points = pool[np.concatenate([[0], order[order != 0][: params.starts - 1]])]
        offsets = params.difference * np.eye(size).reshape(size, *mean.shape)
        first, second = np.zeros_like(points), np.zeros_like(points)
        for iteration in range(1, params.iterations + 1):
            if search.late():
                return
            probes = np.concatenate([points[:, None] + offsets, points[:, None] - offsets, points[:, None]], 1)
            costs = search.evaluate(self.clip(probes.reshape(-1, *mean.shape))).reshape(len(points), -1)
            with np.errstate(invalid="ignore"):  # two infinite costs have no difference: stay
                difference = costs[:, :size] - costs[:, size : 2 * size]
            gradient = np.nan_to_num(difference / (2 * params.difference), posinf=0, neginf=0).reshape(points.shape)
            first = 0.8 * first + 0.2 * gradient
            second = 0.95 * second + 0.05 * gradient**2
            step = (first / (1 - 0.8**iteration)) / (np.sqrt(second / (1 - 0.95**iteration)) + 1e-8)
            points = self.clip(points - params.rate * step / np.sqrt(iteration))
        search.evaluate(points)
