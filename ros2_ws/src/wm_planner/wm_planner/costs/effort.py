from dataclasses import dataclass

import numpy as np

from wm_core.futures import Futures
from wm_planner.costs.base import CostContext, CostTerm, cost_term


@cost_term("effort")
@dataclass(frozen=True)
class Effort(CostTerm):
    """Squared actions, mean over the steps."""

    def __call__(self, futures: Futures, actions: np.ndarray, goal: np.ndarray, context: CostContext) -> np.ndarray:
        return (actions**2).sum(-1).mean(1)
