"""Planner and cost parameters of the node, derived from the dataclasses that document them."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from wm_core.params import Param
from wm_planner.costs import CostWeights
from wm_planner.planners import PARAMS, Planner, make_planner


def parameters() -> tuple[Param, ...]:
    """`cost.<term>` and `<planner>.<field>`, with the dataclasses' defaults."""
    weights = tuple(
        Param(f"cost.{field.name}", float(field.default), f"weight of the cost term '{field.name}'", 0.0, 1e4)  # type: ignore[arg-type]
        for field in fields(CostWeights)
    )
    planners = tuple(
        Param(
            f"{name}.{field.name}",
            field.default,
            f"{name}: {field.name.replace('_', ' ')}",
            0 if isinstance(field.default, int) else 0.0,
            10000,
        )
        for name, kind in PARAMS.items()
        for field in fields(kind)
    )
    return weights + planners


def cost_weights(value: Callable[[str], Any]) -> CostWeights:
    return CostWeights(**{field.name: value(f"cost.{field.name}") for field in fields(CostWeights)})


def planner(value: Callable[[str], Any], name: str, horizon: int, action_size: int) -> Planner:
    """A planner as the node's parameters describe it."""
    own = {field.name: value(f"{name}.{field.name}") for field in fields(PARAMS[name])} if name in PARAMS else {}
    return make_planner(name, horizon, action_size, value("seed"), **own)
