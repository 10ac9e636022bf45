from dataclasses import dataclass

from wm_core.parts import option
from wm_planner.costs.base import Array, CostContext, Places, PlaceTerm, cost_term


@cost_term("fine")
@dataclass(frozen=True)
class Fine(PlaceTerm):
    """Distance to the goal that saturates: the last centimetres still count. Mean over the steps, without unit, below 1."""

    scale: float = option(0.015, "[m] distance at which it is a half", 1e-6)

    def at(self, places: Places, context: CostContext) -> Array:
        return places.distance / (places.distance + self.scale)
