from dataclasses import dataclass

import numpy as np

from wm_core.futures import Futures
from wm_planner.costs.base import CostContext, CostTerm, cost_term, length


@cost_term("terminal")
@dataclass(frozen=True)
class Terminal(CostTerm):
    """Distance [m] of the object to the goal at the end of the plan."""

    def __call__(self, futures: Futures, actions: np.ndarray, goal: np.ndarray, context: CostContext) -> np.ndarray:
        return length(futures.mean_object()[:, -1] - goal)
