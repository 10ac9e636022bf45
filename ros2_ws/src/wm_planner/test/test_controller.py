"""The controller: plans towards the goal, and carefully what it does not see."""

import numpy as np
import pytest

from wm_core.bundle import Bundle
from wm_core.goal import GoalError, PoseGoal, ZoneGoal
from wm_core.kinematics import Kinematics
from wm_core.paths import bundles_dir
from wm_core.robot import load_robot
from wm_core.scene import ToolState
from wm_core.task import load_task
from wm_dynamics.calibration import Calibration
from wm_dynamics.rollout import RolloutEngine
from wm_planner.controller import BLIND_SPEED, PlannerCore
from wm_planner.costs import CostModel
from wm_planner.factory import speed_share
from wm_planner.goal import LOOK_AFTER
from wm_planner.planners import make_planner
from wm_planner.policy import Policy
from wm_planner.tool_path import ToolPath

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height

BUNDLE = Bundle.load(bundles_dir() / "default")
ARM = Kinematics(load_robot())
TASK = load_task("push")
REACH = load_robot().reach_region
GOAL = PoseGoal({"x": 0.60, "y": 0.0}, 0.01)
STEP_NS = 100_000_000
ELBOW_UP = np.array([0.0, 0.3, 0.0, -2.6, 0.0, 2.9, 0.785])
TOOL, OBJECT_XY = ToolState.at(0.42, 0.0, TOOL_HEIGHT), np.array([0.48, 0.0])


def ahead(distance):
    """The tool so far ahead [m] of TOOL."""
    return ToolState.at(TOOL.xy[0] + distance, 0.0, TOOL_HEIGHT)


def make_core(bundle=BUNDLE, horizon=12, macro=False, costs=None, **options):
    engine = RolloutEngine(bundle, macro)
    core = PlannerCore(
        engine,
        make_planner("icem", engine.count(horizon), bundle.action),
        costs or CostModel.of(bundle, TASK, REACH, macro=macro),
        ToolPath(ARM, BUNDLE.step_duration),
        **options,
    )
    core.tool_path.anchor(ARM.ik(TOOL.position, TOOL_DOWN, ELBOW_UP))
    return core


@pytest.fixture
def core():
    return make_core()


def decide(core, **options):
    mean = BUNDLE.initial_mean.copy()
    mean[0:4] = [*OBJECT_XY, *TOOL.xy]
    return core.step(mean, np.full(BUNDLE.latent_size, 1e-6, np.float32), TOOL, GOAL, **options)


def test_the_object_is_pushed_towards_the_goal(core):
    decision = decide(core)
    outlook = core.outlook(decision)
    ends = outlook.futures.mean_object()[0, -1]
    assert np.linalg.norm(ends - GOAL.position) < np.linalg.norm(OBJECT_XY - GOAL.position)
    assert sum(outlook.cost_terms.values()) == pytest.approx(decision.plan.cost, rel=1e-3)


def test_a_plan_of_unknown_outcome_is_not_executed():
    careful = make_core(defer_above=1e-9)
    decision = decide(careful)
    assert decision.deferred and "deferred: the object may end up" in decision.motion.reason
    np.testing.assert_allclose(decision.motion.end.values, decision.motion.start.values)


@pytest.fixture
def following(straight):
    """Makes cores that follow a policy which goes straight to the goal."""
    bundle = Bundle.load(straight)
    return lambda **options: make_core(bundle, policy=Policy(bundle, 12), follow=True, **options)


def test_a_trusted_policy_decides_alone(following):
    decision = decide(following(policy_trust=10.0))
    assert decision.planner == "policy" and decision.plan.candidates == 1
    np.testing.assert_allclose(decision.action, [1, 0], atol=1e-3)
    assert np.isnan(decision.plan.cost)  # nothing was compared; it is computed afterwards for people and records
    with pytest.raises(ValueError, match="a policy to follow"):
        make_core(follow=True)


def test_where_the_policy_is_not_trusted_planning_takes_over(following):
    decision = decide(following(policy_trust=0.0))
    assert decision.planner == "icem" and decision.plan.candidates > 1
    assert not np.allclose(decision.plan.actions, np.tile([1, 0], (12, 1)), atol=1e-2)


def test_a_policy_is_as_careful_as_a_search(following):
    deferred = decide(following(policy_trust=10.0, defer_above=1e-9))
    assert deferred.deferred and deferred.planner == ""
    unseen = decide(following(policy_trust=10.0), time_unseen=0.1)
    assert unseen.planner == "policy" and 0 < np.linalg.norm(unseen.action) <= BLIND_SPEED + 1e-6
    assert decide(following(), time_unseen=LOOK_AFTER + 0.1).motion.end.xy[0] < TOOL.xy[0] - 0.01


def test_what_is_out_of_sight_is_pushed_slowly(core):
    seen = np.linalg.norm(decide(core).action)
    core.reset()
    unseen = np.linalg.norm(decide(core, time_unseen=0.1).action)
    assert 0 < unseen <= BLIND_SPEED + 1e-6 < seen


def test_plans_keep_to_the_speed_that_the_guard_lets_pass():
    """One that is slowed on the way ends elsewhere than imagined."""
    decision = decide(make_core(speed=0.4))
    assert np.linalg.norm(decision.action) <= 0.4 + 1e-6
    assert np.linalg.norm(decision.plan.actions, axis=1).max() == pytest.approx(0.4, abs=0.02)
    assert np.linalg.norm(decide(make_core(speed=0.4), time_unseen=LOOK_AFTER + 0.1).action) == pytest.approx(
        0.4, abs=0.02
    )
    assert (
        speed_share(BUNDLE, 0.15) == pytest.approx(0.5) and speed_share(BUNDLE, 0.0) == speed_share(BUNDLE, 2.0) == 1.0
    )


def test_the_hand_that_hides_the_object_for_long_backs_off(core):
    decision = decide(core, time_unseen=LOOK_AFTER + 0.1)
    assert decision.motion.end.xy[0] < TOOL.xy[0] - 0.01


def anchored_at(core, height=0.0, yaw=0.0):
    """The arm where a person left it: above where its tool works, or turned."""
    core.tool_path.anchor(ARM.ik(TOOL.position + [0.0, 0.0, height], ARM.robot.tool.turned(yaw), ELBOW_UP))


def test_an_arm_that_a_person_turned_returns_and_then_works(core):
    anchored_at(core, yaw=0.2)
    first = decide(core)
    assert (
        first.plan is None
        and first.motion.reason == "returning: the tool is 0 mm above and 0.20 rad from where it is held"
    )
    assert first.motion.end.xy == pytest.approx(TOOL.xy, abs=1e-3)
    for _ in range(10):
        last = decide(core)
    assert last.plan is not None and last.motion.end.yaw == pytest.approx(0.0, abs=1e-3)


def test_it_comes_down_beside_the_object_and_not_onto_it(core):
    anchored_at(core, height=0.08)
    tool, heights = TOOL, []
    for _ in range(60):
        mean = BUNDLE.initial_mean.copy()
        mean[0:4] = [*OBJECT_XY, *tool.xy]
        decision = core.step(mean, np.full(BUNDLE.latent_size, 1e-6, np.float32), tool, GOAL)
        if decision.plan is not None:
            break
        tool = decision.motion.end
        heights.append((np.linalg.norm(tool.xy - OBJECT_XY), tool.position[2] - TOOL_HEIGHT))
    assert decision.plan is not None
    assert all(away > 0.09 or height == pytest.approx(0.08, abs=1e-3) for away, height in heights)


def test_what_is_under_way_is_taken_into_account(core):
    """Two steps towards the object are still to be executed when this belief comes: it will have moved by then."""
    for step in range(2):
        core.commanded.record(step * STEP_NS, STEP_NS, ahead(0.03 * step), ahead(0.03 * step + 0.03))
    core.tool_path.continue_from(ahead(0.06).xy)
    late = decide(core, stamp_ns=0, delay=0.2)
    assert late.latent[0] > OBJECT_XY[0] + 0.01
    assert late.latent[2] == pytest.approx(TOOL.xy[0] + 0.06, abs=0.005)
    assert late.motion.start.xy == pytest.approx(ahead(0.06).xy, abs=1e-6)


def test_a_command_that_follows_soon_goes_on_from_where_the_arm_will_be(core):
    core.commanded.record(0, STEP_NS, TOOL, ahead(0.03))
    core.tool_path.continue_from(ahead(0.03).xy)
    soon = decide(core, stamp_ns=0, delay=0.05)
    assert soon.motion.start.xy == pytest.approx(ahead(0.015).xy, abs=1e-6)


def test_a_hold_moves_nothing_and_has_no_outlook(core):
    decision = core.hold()
    assert (decision.motion.end.xy == decision.motion.start.xy).all()
    with pytest.raises(ValueError, match="got a hold"):
        core.outlook(decision)


def test_a_belief_that_is_not_finite_is_refused(core):
    with pytest.raises(ValueError, match="finite belief"):
        core.step(np.full(BUNDLE.latent_size, np.nan), np.ones(BUNDLE.latent_size), TOOL, GOAL)


@pytest.mark.parametrize("goal", [ZoneGoal({"x": 0.4}, {"x": 0.5}), PoseGoal({"x": 0.5, "y": 0.0, "yaw": 0.0}, 0.01)])
def test_a_goal_that_no_cost_is_about_is_refused(core, goal):
    with pytest.raises(GoalError, match="a pose of .'x', 'y'."):
        core.step(BUNDLE.initial_mean, BUNDLE.initial_variance, TOOL, goal)


def test_a_long_plan_in_jumps_pushes_towards_the_goal(jumping):
    far = make_core(jumping, macro=True, horizon=24)
    decision = decide(far)
    assert decision.plan.actions.shape == decision.plan.samples.shape[1:] == (24, 2)
    assert (np.diff(decision.plan.actions[12:].reshape(4, 3, 2), axis=1) == 0).all()  # held through each jump
    outlook = far.outlook(decision)
    assert list(outlook.futures.steps) == [*range(1, 13), 15, 18, 21, 24]
    assert sum(outlook.cost_terms.values()) == pytest.approx(decision.plan.cost, rel=1e-3)
    ends = outlook.futures.mean_object()[0, -1]
    assert np.linalg.norm(ends - GOAL.position) < np.linalg.norm(OBJECT_XY - GOAL.position)
    assert np.linalg.norm(decision.motion.end.xy - decision.motion.start.xy) <= jumping.action.scale["x"] + 1e-6


def test_what_is_uncertain_only_in_the_long_run_is_no_reason_to_defer(jumping):
    tables = {"still": [[1.0], [100.0]], "moving": [[1.0], [100.0]]}
    wide_later = Calibration.parse({"levels": [0.9], "steps": [12, 15], "moved": 0.005, "floor": 1e-3, **tables})
    costs = CostModel(TASK, REACH, calibration=wide_later)

    def long(defer_above):
        return make_core(jumping, macro=True, horizon=24, costs=costs, defer_above=defer_above)

    core = long(10.0)
    doubts = costs.uncertainty(core.outlook(decide(core)).futures)[0]
    assert not decide(long(1.1 * doubts[:12].max())).deferred
    assert doubts[12:].min() > 2 * doubts[:12].max()
    assert decide(long(0.9 * doubts[:12].max())).deferred
