"""Random actions: the floor under every comparison."""

import numpy as np

from wm_planner.planners.base import Planner, _Search, coloured_noise


class Random(Planner):
    name = "random"

    def _search(self, search: _Search, mean: np.ndarray, seeds: np.ndarray) -> None:
        steps, width = mean.shape
        search.evaluate(self.clip(coloured_noise(self._rng, 1, steps, width, 1.0)))
