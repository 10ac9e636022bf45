from dataclasses import dataclass

import numpy as np

from wm_core.futures import Futures
from wm_planner.costs.base import CostContext, CostTerm, cost_term, shares


@cost_term("uncertainty")
@dataclass(frozen=True)
class Uncertainty(CostTerm):
    """How far off [m] the object may be, mean over the steps: the future is not to be trusted."""

    def __call__(self, futures: Futures, actions: np.ndarray, goal: np.ndarray, context: CostContext) -> np.ndarray:
        return context.uncertainty(futures) @ shares(futures)
