"""What plans with one bundle, made from the parameters of the planner node."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_core.bundle import Bundle
from wm_core.compatibility import check_fit
from wm_core.kinematics import Kinematics
from wm_core.paths import urdf_path
from wm_core.task import Task
from wm_dynamics.rollout import RolloutEngine
from wm_planner import settings
from wm_planner.controller import PlannerCore
from wm_planner.costs import CostModel
from wm_planner.goal import ObjectGoal
from wm_planner.policy import POLICY, policy_for, search_of
from wm_planner.tool_path import ToolPath

WARM_UP = 3  # decisions


@dataclass(frozen=True)
class Mind:
    """What plans with one bundle."""

    bundle: Bundle
    core: PlannerCore


def make_mind(bundle: Bundle, task: Task, value: Callable[[str], Any]) -> Mind:
    """Warmed up: first calls are slow, and a robot must not wait for them. `value`: a parameter of the node by its name.

    Raises ValueError for a bundle that does not fit the task, or does not bring what the parameters ask for.
    """
    check_fit(task, bundle)
    engine = RolloutEngine(bundle, value("macro"))
    name, count = value("planner"), engine.count(value("horizon"))
    kinematics = Kinematics(value("urdf") or urdf_path())  # its buffers serve one thread
    path = ToolPath(kinematics, bundle.step_duration)
    core = PlannerCore(
        engine,
        settings.planner(value, search_of(name), count, bundle.action_size),
        CostModel.of(bundle, task, settings.cost_weights(task, value), value("macro")),
        path,
        value("blind_speed"),
        value("defer_above"),
        policy=policy_for(bundle, name, value("policy_seeds"), int(engine.spans(count).sum())),
        follow=name == POLICY,
        policy_trust=value("policy_trust"),
    )
    middle = (kinematics.lower + kinematics.upper) / 2
    goal = ObjectGoal(bundle.initial_mean[:2].astype(float), task.success.tolerance)
    for _ in range(WARM_UP):
        path.anchor(middle)
        core.step(bundle.initial_mean, bundle.initial_variance, np.zeros(2), goal, delay=0.01)
    core.reset()
    core.forget()
    path.forget()
    return Mind(bundle, core)
