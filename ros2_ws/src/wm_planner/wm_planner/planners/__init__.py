"""Planners: search the action sequence of least cost in the model's imagination."""

from dataclasses import fields
from typing import Any

from wm_core.specs import ActionSpec
from wm_planner.planners.base import Evaluate, Planner, PlanningError, PlanResult
from wm_planner.planners.cem import CEM, CEMParams
from wm_planner.planners.gradient import Gradient, GradientParams
from wm_planner.planners.icem import ICEM, ICEMParams
from wm_planner.planners.mppi import MPPI, MPPIParams
from wm_planner.planners.random_ import Random

__all__ = ["PARAMS", "PLANNERS", "Evaluate", "PlanResult", "Planner", "PlanningError", "make_planner"]

_PLANNERS: dict[str, type[Planner]] = {
    "icem": ICEM,
    "mppi": MPPI,
    "cem": CEM,
    "gradient": Gradient,
    "random": Random,
}
PLANNERS = tuple(_PLANNERS)
PARAMS: dict[str, type] = {"icem": ICEMParams, "mppi": MPPIParams, "cem": CEMParams, "gradient": GradientParams}


def make_planner(name: str, horizon: int, actions: int | ActionSpec, seed: int = 0, **params: Any) -> Planner:
    """A planner by name. `actions`: their specification, or how many numbers in the unit ball; `params`: of its dataclass."""
    if name not in _PLANNERS:
        raise ValueError(f"expected a planner out of {', '.join(_PLANNERS)}, got '{name}'")
    size = actions if isinstance(actions, int) else actions.size
    if name not in PARAMS:
        return _clipping(_PLANNERS[name](horizon, size, seed), actions)
    known = {field.name for field in fields(PARAMS[name])}
    if unknown := set(params) - known:
        raise ValueError(f"{name}: expected parameters out of {sorted(known)}, got {sorted(unknown)}")
    return _clipping(_PLANNERS[name](horizon, size, seed, PARAMS[name](**params)), actions)  # type: ignore[call-arg]


def _clipping(planner: Planner, actions: int | ActionSpec) -> Planner:
    """A planner whose candidates are as the specification allows."""
    if not isinstance(actions, int):
        planner.clip = actions.clip
    return planner
