from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wm_core.futures import Futures
from wm_planner.costs.base import CostContext, CostTerm, cost_term


@cost_term("value")
@dataclass(frozen=True)
class Value(CostTerm):
    """What the steps after the last imagined one will cost, by the bundle (Hansen et al. 2024, "TD-MPC2"), mean of the ensemble.

    The other terms are means over the steps, so this sum is divided by their number. It belongs to the end of a call of the
    rollout graph: after a shorter plan the tool stands still until then.
    """

    needs: ClassVar[tuple[str, ...]] = ("value",)
    summed: ClassVar[bool] = True

    def __call__(self, futures: Futures, actions: np.ndarray, goal: np.ndarray, context: CostContext) -> np.ndarray:
        if context.cost_to_go is None:
            raise ValueError("expected a bundle that brings a value, got none")
        members, count, size = futures.final.shape
        return context.cost_to_go(futures.final.reshape(-1, size), goal).reshape(members, count).mean(0)
