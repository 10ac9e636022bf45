"""Parameters of the node that say how to plan, derived from what documents them: dataclasses, and the terms of a task."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from wm_core.params import Param
from wm_core.task import Task
from wm_planner.costs import COSTS
from wm_planner.factory import PlannerSettings
from wm_planner.planners import PARAMS, PLANNERS
from wm_planner.policy import POLICY, SEEDING, search_of

# Settings of the same name; the others are made of several parameters.
SETTINGS = (
    Param(
        "planner",
        PlannerSettings.planner,
        "search algorithm, or the bundle's policy without a search",
        choices=(*PLANNERS, POLICY),
    ),
    Param(
        "policy_seeds",
        PlannerSettings.policy_seeds,
        "search around what the bundle's policy intends; auto: if it has one",
        choices=SEEDING,
    ),
    Param(
        "policy_trust",
        PlannerSettings.policy_trust,
        "[m] with planner policy: where the object may end up farther off, icem plans instead",
        0.0,
        10.0,
    ),
    Param(
        "horizon",
        PlannerSettings.horizon,
        "steps planned ahead, 0: the bundle's; with macro rounded up to whole jumps",
        0,
        200,
    ),
    Param(
        "macro",
        PlannerSettings.macro,
        "plan in jumps of several steps, of a bundle made by ./wm macro: long horizons cost less",
    ),
    Param("seed", PlannerSettings.seed, "seed of the random candidates", 0, 2**31),
    Param(
        "blind_speed",
        PlannerSettings.blind_speed,
        "share of full speed near an object that is out of sight",
        0.0,
        1.0,
    ),
    Param(
        "defer_above",
        PlannerSettings.defer_above,
        "[m] plans after which the object may be farther off are not executed",
        0.0,
        10.0,
    ),
    Param(
        "tool_speed",
        PlannerSettings.tool_speed,
        "[m/s] of the tool at most, 0: that of the actions; launch files give what the guard lets pass",
        0.0,
        2.0,
    ),
)


def parameters() -> tuple[Param, ...]:
    """Those of SETTINGS, and `<planner>.<field>`, with the dataclasses' defaults."""
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
    return SETTINGS + planners


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


def planner_settings(task: Task, value: Callable[[str], Any]) -> PlannerSettings:
    """How to plan for a task, as the node's parameters say; `value`: a parameter by its name."""
    settings = {param.name: value(param.name) for param in SETTINGS}
    search = search_of(settings["planner"])
    own = fields(PARAMS[search]) if search in PARAMS else ()
    return PlannerSettings(
        **settings,
        planner_params={field.name: value(f"{search}.{field.name}") for field in own},
        weights=cost_weights(task, value),
    )
