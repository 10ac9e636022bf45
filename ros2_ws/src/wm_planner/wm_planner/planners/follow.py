"""No search: does the first of the seeds, which is what the policy intends."""

import numpy as np

from wm_planner.planners.base import Planner, _Search


class Follow(Planner):
    name = "policy"

    def _search(self, search: _Search, mean: np.ndarray, seeds: np.ndarray) -> None:
        if not len(seeds):
            raise ValueError("expected the actions that a policy intends as seeds, got none")
        search.evaluate(seeds[:1])
