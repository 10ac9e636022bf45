"""The cost of a future: the terms that a task lists, each with its weight."""

from collections.abc import Mapping

import numpy as np

from wm_core.bundle import Bundle, BundleError
from wm_core.futures import XY, Futures
from wm_core.task import Region, Task
from wm_dynamics.calibration import Calibration
from wm_planner.costs.base import COSTS, Array, CostContext, CostTerm, CostToGo, Places, PlaceTerm, shares


class CostModel:
    """Costs (N,) of futures with respect to a goal (2,) [m].

    Terms are added up in the order of the task file. Those that a task does not list cost nothing.
    """

    def __init__(
        self,
        task: Task,
        reach: Region,
        weights: Mapping[str, float] | None = None,
        *,
        calibration: Calibration | None = None,
        cost_to_go: CostToGo | None = None,
    ) -> None:
        """`reach`: of the tool. `weights`: in place of some of the task's, by name. `calibration`, `cost_to_go`: of the bundle.

        Raises TaskError for terms and options that nobody registered and for goals along other axes than x and y, ValueError for
        weights of terms that the task does not list, or of what is not known.
        """
        if task.goal_axes != XY:
            raise task.error(
                "goal.axes", f"expected {list(XY)}, which cost terms are about, got {list(task.goal_axes)}"
            )
        self.task = task
        self.reach = reach
        self.calibration = calibration
        listed = {name: float(entry["weight"]) for name, entry in task.costs.items()}
        if unknown := sorted(set(weights or {}) - set(listed)):
            raise ValueError(f"expected weights of the cost terms {', '.join(listed)}, got one of {unknown[0]}")
        self.weights = {**listed, **(weights or {})}
        self._terms = cost_terms(task)
        self._context = CostContext(task, reach, self.uncertainty, cost_to_go)
        for name, weight in self.weights.items():
            if weight and "value" in self._terms[name].needs and cost_to_go is None:
                raise ValueError(f"cost.{name}: expected 0 without a cost to go, got {weight}")

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        task: Task,
        reach: Region,
        weights: Mapping[str, float] | None = None,
        macro: bool = False,
    ) -> "CostModel":
        """With what a bundle knows, of its steps or (`macro`) of its jumps; raises BundleError for a weight of what it does not bring."""

        def cost_to_go(latents: np.ndarray, goal: np.ndarray) -> np.ndarray:
            goals = np.broadcast_to(np.asarray(goal, np.float32), (len(latents), 2))
            return bundle.run("value", latent=latents, goal=np.ascontiguousarray(goals))["value"]

        weighted = {name: float(entry["weight"]) for name, entry in task.costs.items()} | dict(weights or {})
        for name, term in cost_terms(task).items():
            lacking = [graph for graph in term.needs if not bundle.has(graph)]
            if weighted[name] and lacking:
                raise BundleError(
                    f"{bundle.path}: expected a bundle with the graph {lacking[0]} for cost.{name} {weighted[name]}, got one"
                    " without; use a bundle of a family that learns a value (tdmpc), or 0"
                )
        known = cost_to_go if bundle.has("value") else None
        return cls(task, reach, weights, calibration=Calibration.of(bundle, macro), cost_to_go=known)

    def cost(self, futures: Futures, actions: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Total cost (N,)."""
        return sum(self.terms(futures, actions, goal).values())  # type: ignore[return-value]

    def uncertainty(self, futures: Futures) -> np.ndarray:
        """How far off (N, H) [m] the object may be: half the 90 % interval, or the ensemble's disagreement where nothing is calibrated."""
        if self.calibration is None:
            return futures.epistemic_std()
        return self.calibration.half_width(futures).max(-1)

    def terms(self, futures: Futures, actions: np.ndarray, goal: np.ndarray) -> dict[str, np.ndarray]:
        """Weighted terms (N,) by name; `actions` (N, H, A)."""
        mean_object, share = futures.mean_object(), shares(futures)
        goal = np.asarray(goal, mean_object.dtype)
        places = Places(mean_object, futures.mean_tool(), goal)
        found: dict[str, np.ndarray] = {}
        for name, term in self._terms.items():
            weight = self.weights[name]
            if isinstance(term, PlaceTerm):
                found[name] = (weight * term.at(places, self._context)) @ share
            elif term.needs and not weight:
                found[name] = np.zeros(len(actions))
            else:
                value = weight * term(futures, actions, goal, self._context)
                found[name] = value / actions.shape[1] if term.summed else value
        return found

    def place_terms(self, object_xy: Array, tool: Array, goal: Array) -> dict[str, Array]:
        """Weighted terms (...,) of single instants: object, tool and goal (..., 2) [m]; numpy arrays or torch tensors."""
        places = Places(object_xy, tool, goal)
        return {
            name: self.weights[name] * term.at(places, self._context)
            for name, term in self._terms.items()
            if isinstance(term, PlaceTerm)
        }


def cost_terms(task: Task) -> dict[str, CostTerm]:
    """The terms that a task lists, with its options; raises TaskError naming the file and the field."""
    return {
        name: COSTS.make(task, name, {key: value for key, value in entry.items() if key != "weight"}, f"costs.{name}")
        for name, entry in task.costs.items()
    }
