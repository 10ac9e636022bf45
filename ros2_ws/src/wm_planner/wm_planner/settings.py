"""Planner and cost parameters of the node, derived from what documents them: dataclasses, and the terms of a task."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from wm_core.params import Param
from wm_core.task import Task
from wm_planner.costs import COSTS
from wm_planner.planners import PARAMS, Planner, make_planner


def parameters() -> tuple[Param, ...]:
    """`<planner>.<field>`, with the dataclasses' defaults."""
    return tuple(
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


def cost_parameters(task: Task) -> tuple[Param, ...]:
    """`cost.<term>`: the weights of a task's terms, each to be overridden; raises TaskError for unknown terms."""
    kinds = {name: COSTS.find(task, name, f"costs.{name}") for name in task.costs}
    return tuple(
        Param(
            f"cost.{name}",
            float(task.costs[name]["weight"]),
            f"weight of: {(kind.__doc__ or name).splitlines()[0]}",
            0.0,
            1e4,
        )
        for name, kind in kinds.items()
    )


def cost_weights(task: Task, value: Callable[[str], Any]) -> Mapping[str, float]:
    """Weight of each term of a task."""
    return {name: value(f"cost.{name}") for name in task.costs}


def planner(value: Callable[[str], Any], name: str, horizon: int, action_size: int) -> Planner:
    """A planner as the node's parameters describe it."""
    own = {field.name: value(f"{name}.{field.name}") for field in fields(PARAMS[name])} if name in PARAMS else {}
    return make_planner(name, horizon, action_size, value("seed"), **own)
