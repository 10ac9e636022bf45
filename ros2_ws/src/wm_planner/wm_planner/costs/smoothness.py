from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wm_core.futures import Futures
from wm_planner.costs.base import CostContext, CostTerm, cost_term


@cost_term("smoothness")
@dataclass(frozen=True)
class Smoothness(CostTerm):
    """Squared changes of the action from step to step."""

    summed: ClassVar[bool] = True

    def __call__(self, futures: Futures, actions: np.ndarray, goal: np.ndarray, context: CostContext) -> np.ndarray:
        return (np.diff(actions, axis=1) ** 2).sum(-1).sum(1)
