"""Exploring: what its costs prefer, and targets that change."""

import numpy as np
import pytest

from wm_core.bundle import Bundle
from wm_core.futures import Futures
from wm_core.goal import ExploreGoal
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_core.specs import ActionSpec, StateSpec
from wm_core.task import load_task
from wm_dynamics.rollout import RolloutEngine
from wm_planner.controller import PlannerCore
from wm_planner.costs import CostModel
from wm_planner.exploration import ExplorationCosts, ExplorationTarget, ExplorationTargets
from wm_planner.planners import make_planner
from wm_planner.tool_path import ToolPath

TASK = load_task("push")
REACH = load_robot().reach_region
PLACES = TASK.exploring.places
COSTS = ExplorationCosts(CostModel(TASK, REACH), most_doubt=0.1, step_duration=0.1)
TARGET = ExplorationTarget(np.array([0.6, 0.0]), speed=0.5, aside=0.0, until_ns=10**10)
START = np.array([0.5, 0.0])
STATE, ACTION = StateSpec(1, ("x", "y"), ("x", "y"), 2), ActionSpec({"x": 0.03, "y": 0.03})


def terms(velocity=(0.0, 0.0), spread=0.0, actions=0.0, start=START, tool=(0.445, 0.0), target=TARGET):
    """Of five steps in which the object moves by `velocity` [m] each and two members grow `spread` [m] apart."""
    steps = np.arange(1, 6)[:, None]
    members = np.array([-0.5, 0.5])[:, None, None, None] * spread * steps / 5
    objects = (np.asarray(start) + steps * np.asarray(velocity))[None, None] + members
    tools = np.tile(np.asarray(tool, float), (2, 1, 5, 1))
    readout, begin = np.concatenate([objects, tools], -1), np.array([[*start, *tool]])
    futures = Futures(STATE, ACTION, readout, np.zeros_like(objects), {"final": np.zeros((2, 1, 8))}, begin)
    return {name: float(v[0]) for name, v in COSTS.terms(futures, np.full((1, 5, 2), actions), target).items()}


def test_disagreement_is_sought_until_it_is_enough():
    sure, unsure, more, enough, too_much = (terms(spread=s)["disagreement"] for s in (0.0, 0.01, 0.03, 1.0, 2.0))
    assert sure == 0 > unsure > more > enough
    assert enough == too_much == pytest.approx(-COSTS.weights.disagreement * COSTS.enough)


def test_the_tool_belongs_behind_the_object_as_seen_from_the_target():
    behind, before = terms(tool=(0.445, 0.0)), terms(tool=(0.555, 0.0))
    assert behind["approach"] < before["approach"] and behind["side"] < before["side"]


def test_a_target_may_touch_the_object_beside_its_centre():
    left = ExplorationTarget(TARGET.xy, TARGET.speed, aside=0.02, until_ns=TARGET.until_ns)
    assert terms(tool=(0.445, 0.02), target=left)["approach"] < terms(tool=(0.445, 0.0), target=left)["approach"]


def test_the_wanted_speed_is_the_cheapest():
    slow, wanted, fast = (terms(actions=a / np.sqrt(2))["pace"] for a in (0.2, 0.5, 1.0))
    assert wanted < min(slow, fast)


def test_an_object_may_slide_on_so_a_fast_one_needs_more_room():
    """2 cm a step is 0.2 m/s: at 0.3 m/s^2 it comes to rest 6.7 cm farther on."""
    rest, slow, fast = (terms((v, 0.0), start=(0.50, 0.0))["workspace"] for v in (0.0, 0.004, 0.02))
    assert rest == slow == 0 < fast
    inwards = terms((-0.02, 0.0), start=(0.60, 0.0))["workspace"]
    assert inwards == 0


def test_no_member_may_see_the_object_leave():
    assert terms(spread=0.0, start=(0.60, 0.0))["workspace"] == 0 < terms(spread=0.08, start=(0.60, 0.0))["workspace"]


def test_plans_that_would_be_deferred_cost_more_than_disagreement_brings():
    doubtful = terms(spread=0.6)
    assert doubtful["doubt"] + doubtful["disagreement"] > 0 == terms(spread=0.05)["doubt"]


def test_targets_last_some_seconds_and_lead_to_other_places_in_the_middle():
    targets, places = ExplorationTargets(PLACES, 3), []
    for step in range(600):
        target = targets.target(START, step * 10**8)
        assert step * 10**8 < target.until_ns <= step * 10**8 + 5 * 10**9
        places.append(tuple(target.xy))
    distinct = np.array(sorted(set(places)))
    assert 12 <= len(distinct) <= 30
    assert PLACES.contains(distinct).all()
    assert np.ptp(distinct, axis=0).min() > 0.08


def test_a_target_that_is_reached_is_followed_by_another():
    targets = ExplorationTargets(PLACES, 3)
    first = targets.target(START, 0)
    assert targets.target(START, 10**8) is first
    assert targets.target(first.xy, 2 * 10**8) is not first


def test_the_same_beliefs_bring_the_same_targets_and_other_goals_others():
    once, again, later = (ExplorationTargets(PLACES, 3).target(START, stamp_ns) for stamp_ns in (7, 7, 8))
    np.testing.assert_array_equal(once.xy, again.xy)
    assert (once.xy != later.xy).any()


def test_one_cycle_explains_itself_by_the_terms_of_exploring(straight):
    bundle, kinematics = Bundle.load(straight), Kinematics(load_robot())
    path = ToolPath(kinematics, bundle.step_duration)
    home = kinematics.robot.home
    path.anchor(kinematics.ik(home.position, kinematics.robot.tool.rotation, home.joints))
    core = PlannerCore(RolloutEngine(bundle), make_planner("icem", 12, 2), CostModel.of(bundle, TASK, REACH), path)
    decision = core.step(bundle.initial_mean, bundle.initial_variance, path.tool, ExploreGoal(1), stamp_ns=10**9)
    assert isinstance(decision.goal, ExplorationTarget) and np.linalg.norm(decision.action) <= 1 + 1e-6
    assert set(core.outlook(decision).cost_terms) == set(ExplorationCosts.TERMS)
