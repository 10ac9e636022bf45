from dataclasses import dataclass

from wm_planner.costs.base import Array, CostContext, Places, PlaceTerm, cost_term


@cost_term("goal")
@dataclass(frozen=True)
class Goal(PlaceTerm):
    """Distance of the object to the goal [m], mean over the steps."""

    def at(self, places: Places, context: CostContext) -> Array:
        return places.distance
