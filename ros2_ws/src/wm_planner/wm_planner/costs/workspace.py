from dataclasses import dataclass

from wm_planner.costs.base import Array, CostContext, Places, PlaceTerm, cost_term, outside


@cost_term("workspace")
@dataclass(frozen=True)
class Workspace(PlaceTerm):
    """Soft barrier: how far [m] the object is outside the task's region of objects, and the tool outside the arm's reach."""

    def at(self, places: Places, context: CostContext) -> Array:
        return outside(places.object, context.task.regions.objects) + outside(places.tool, context.reach)
