from dataclasses import dataclass

from wm_core.parts import option
from wm_planner.costs.base import Array, CostContext, Places, PlaceTerm, cost_term, length


@cost_term("approach")
@dataclass(frozen=True)
class Approach(PlaceTerm):
    """Distance [m] of the tool to the place behind the object, as seen from the goal, from which a push starts."""

    behind: float = option(0.055, "[m] from the object's centre to where a push starts")
    gate: float = option(0.02, "[m] from the goal, below which it fades out", 1e-6)

    def at(self, places: Places, context: CostContext) -> Array:
        near = (places.distance / self.gate).clip(None, 1.0)
        return near * length(places.from_object - self.behind * places.backwards)
