"""The factory: one way to put a planner together, whether parameters of the node or a program say how."""

import numpy as np
import pytest

from wm_core.bundle import Bundle, BundleError
from wm_core.compatibility import FitError
from wm_core.goal import PoseGoal
from wm_core.kinematics import Kinematics
from wm_core.paths import bundles_dir
from wm_core.robot import load_robot
from wm_core.scene import ToolState
from wm_core.task import load_task
from wm_planner.factory import PlannerSettings, make_planner_core, warm_up
from wm_planner.settings import cost_parameters, parameters, planner_settings

BUNDLE = Bundle.load(bundles_dir() / "default")
TASK = load_task()
ARM = Kinematics(load_robot())


def decide(core):
    home = ARM.robot.home
    core.tool_path.anchor(ARM.ik(home.position, ARM.robot.tool.rotation, home.joints))
    goal = PoseGoal({"x": 0.6, "y": 0.0}, 0.01)
    return core.step(BUNDLE.initial_mean, BUNDLE.initial_variance, ToolState.at(0.42, 0.0, 0.027), goal, stamp_ns=10**9)


def test_the_node_s_defaults_are_those_of_the_settings():
    values = {param.name: param.default for param in (*parameters(), *cost_parameters(TASK))}
    made = planner_settings(TASK, values.__getitem__)
    assert {**vars(made), "planner_params": {}, "weights": {}} == vars(PlannerSettings())
    assert made.weights == {name: entry["weight"] for name, entry in TASK.costs.items()}
    assert made.planner_params["samples"] == 48  # all parameters of the search, at its own defaults


def test_warming_up_leaves_no_trace():
    fresh, warm = (make_planner_core(BUNDLE, TASK, ARM, PlannerSettings(seed=3)) for _ in range(2))
    warm_up(warm, ARM)
    assert not warm.tool_path.anchored and not len(warm.commanded)
    for name in ("actions", "samples"):
        np.testing.assert_array_equal(getattr(decide(fresh).plan, name), getattr(decide(warm).plan, name))


def test_the_policy_searches_where_it_is_not_trusted(straight, bare):
    core = make_planner_core(Bundle.load(straight), TASK, ARM, PlannerSettings("policy", policy_trust=0.0))
    assert decide(core).planner == "icem"
    with pytest.raises(BundleError, match="expected a bundle with a policy"):
        make_planner_core(Bundle.load(bare), TASK, ARM, PlannerSettings("policy"))


def test_an_unknown_planner_or_parameter_is_refused_by_name():
    with pytest.raises(ValueError, match="got 'best'"):
        make_planner_core(BUNDLE, TASK, ARM, PlannerSettings("best"))
    with pytest.raises(ValueError, match=r"got \['size'\]"):
        make_planner_core(BUNDLE, TASK, ARM, PlannerSettings(planner_params={"size": 3}))


def test_as_far_ahead_as_the_bundle_s_graph_unless_set(fast):
    task = load_task("push_20hz")
    bundle = Bundle.load(fast)
    cores = [make_planner_core(bundle, task, ARM, PlannerSettings(horizon=horizon)) for horizon in (0, 24)]
    assert [decide(core).plan.actions.shape[0] for core in cores] == [bundle.horizon, 24]
    with pytest.raises(FitError, match="the task says 10 Hz, the bundle 20 Hz"):
        make_planner_core(Bundle.load(fast), load_task(), ARM, PlannerSettings())
