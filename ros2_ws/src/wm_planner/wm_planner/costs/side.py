from dataclasses import dataclass

from wm_core.parts import option
from wm_planner.costs.base import Array, CostContext, Places, PlaceTerm, cost_term


@cost_term("side")
@dataclass(frozen=True)
class Side(PlaceTerm):
    """The tool is near the object but not behind it, so it would push it away from the goal: makes it walk around."""

    near: float = option(0.085, "[m] from the object's centre, closer than which the side matters", 1e-6)
    cosine: float = option(
        0.75, "cosine of the angle to the line through goal and object within which it is behind", -1.0, 1.0
    )
    gate: float = option(0.02, "[m] from the goal, below which it fades out", 1e-6)

    def at(self, places: Places, context: CostContext) -> Array:
        near = (places.distance / self.gate).clip(None, 1.0)
        return near * ((self.cosine - places.cosine).clip(0.0, None) * (1 - places.gap / self.near).clip(0.0, None))
