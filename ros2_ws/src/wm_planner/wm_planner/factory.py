"""The one place where a planner for a bundle is put together: search, cost, policy and tool path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wm_core.bundle import Bundle
from wm_core.compatibility import check_fit, check_robot
from wm_core.goal import PoseGoal
from wm_core.kinematics import Kinematics
from wm_core.specs_schema import POSITION
from wm_core.task import Task
from wm_dynamics.rollout import RolloutEngine
from wm_planner.controller import BLIND_SPEED, DEFER_ABOVE, POLICY_TRUST, PlannerCore
from wm_planner.costs import CostModel
from wm_planner.planners import make_planner
from wm_planner.policy import POLICY, policy_for, search_of
from wm_planner.tool_path import ToolPath

WARM_UP = 3  # decisions


@dataclass(frozen=True)
class PlannerSettings:
    """How to plan with a bundle; the defaults are those of the planner node."""

    planner: str = "icem"  # one of PLANNERS, or POLICY: the bundle's policy without a search
    planner_params: Mapping[str, Any] = field(default_factory=dict)  # of the search, over its own defaults
    horizon: int = 0  # steps planned ahead, 0: the bundle's; with macro rounded up to whole jumps
    macro: bool = False  # plan in the jumps of the bundle
    seed: int = 0  # of the random candidates
    policy_seeds: str = "auto"  # one of SEEDING: whether to search around what the policy intends
    policy_trust: float = POLICY_TRUST  # [m] see PlannerCore, as the next two
    blind_speed: float = BLIND_SPEED
    defer_above: float = DEFER_ABOVE  # [m]
    tool_speed: float = 0.0  # [m/s] of the tool at most, 0: that of the bundle's actions
    weights: Mapping[str, float] = field(default_factory=dict)  # of cost terms, in place of the task's


def make_planner_core(bundle: Bundle, task: Task, kinematics: Kinematics, settings: PlannerSettings) -> PlannerCore:
    """A planner for a task with this bundle, not yet anchored: the arm's place is unknown.

    `kinematics`: its buffers serve one thread. Raises ValueError for a bundle or a robot that does not fit the task, for a
    bundle that does not bring what the settings ask for, and for settings that name no planner.
    """
    check_fit(task, bundle)
    check_robot(task, kinematics.robot)
    engine = RolloutEngine(bundle, settings.macro)
    count = engine.count(settings.horizon or bundle.horizon)
    search = search_of(settings.planner)
    return PlannerCore(
        engine,
        make_planner(search, count, bundle.action, settings.seed, **settings.planner_params),
        CostModel.of(bundle, task, kinematics.robot.reach_region, settings.weights, settings.macro),
        ToolPath(kinematics, bundle.step_duration),
        settings.blind_speed,
        settings.defer_above,
        speed=speed_share(bundle, settings.tool_speed),
        policy=policy_for(bundle, settings.planner, settings.policy_seeds, int(engine.spans(count).sum())),
        follow=settings.planner == POLICY,
        policy_trust=settings.policy_trust,
    )


def speed_share(bundle: Bundle, tool_speed: float) -> float:
    """The share, at most 1, of the largest actions of a bundle at which the tool keeps to `tool_speed` [m/s]; 0: any."""
    largest = max(scale for axis, scale in bundle.action.scale.items() if axis in POSITION)
    return min(1.0, tool_speed * bundle.step_duration / largest) if tool_speed else 1.0


def warm_up(core: PlannerCore, kinematics: Kinematics) -> None:
    """Plan a few times for nothing: first calls are slow, and a robot must not wait for them. Nothing of it is remembered."""
    bundle, home = core.bundle, kinematics.robot.home
    joints = kinematics.ik(home.position, kinematics.robot.tool.rotation, home.joints)
    place = bundle.state.object_position(bundle.initial_mean).astype(float)
    goal = PoseGoal(dict(zip(bundle.state.position, place, strict=True)), tolerance=1.0)
    for _ in range(WARM_UP):
        core.tool_path.anchor(joints)
        core.step(bundle.initial_mean, bundle.initial_variance, core.tool_path.tool, goal, delay=0.01)
    core.reset()
    core.forget()
    core.tool_path.forget()
