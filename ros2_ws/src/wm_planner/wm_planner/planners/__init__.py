"""Planners: search the action sequence of least cost in the model's imagination."""

from dataclasses import fields
from typing import Any

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


def make_planner(name: str, horizon: int, action_size: int, seed: int = 0, **params: Any) -> Planner:
    """A planner by name; `params` are the fields of its parameter dataclass."""
    if name not in _PLANNERS:
        raise ValueError(f"expected a planner out of {', '.join(_PLANNERS)}, got '{name}'")
    if name not in PARAMS:
        return _PLANNERS[name](horizon, action_size, seed)
    known = {field.name for field in fields(PARAMS[name])}
    if unknown := set(params) - known:
        raise ValueError(f"{name}: expected parameters out of {sorted(known)}, got {sorted(unknown)}")
    return _PLANNERS[name](horizon, action_size, seed, PARAMS[name](**params))  # type: ignore[call-arg]
