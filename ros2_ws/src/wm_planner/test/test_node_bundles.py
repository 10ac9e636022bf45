"""The planner node and bundles: policies and jumps, bundles that lack what is asked for, and their swap while it plans."""

import numpy as np
import pytest
import rest_of_robot
from action_msgs.msg import GoalStatus
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from wm_msgs.msg import Command

BUNDLE, goal_at, node = rest_of_robot.BUNDLE, rest_of_robot.goal_at, rest_of_robot.node
rest_of, rest = rest_of_robot.rest_of, rest_of_robot.rest

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(("trust", "planner", "fallbacks"), [(10.0, "policy", 0), (0.0, "icem", 1)])
def test_a_plan_says_whether_the_policy_made_it(rest_of, straight, trust, planner, fallbacks):
    rest = rest_of(bundle=str(straight), planner="policy", policy_trust=trust)
    rest.pursue(goal_at(0.6, 0.0))
    assert rest.believe().status == Command.ACTIVE
    rest.until(lambda: rest.plans)
    assert rest.plans[0].planner == planner and rest.plans[0].horizon == len(rest.plans[0].objects[0].poses) == 12
    assert rest.node.counts["fallbacks"] == fallbacks


def test_a_plan_in_jumps_says_where_the_object_goes_at_every_step(rest_of, jumping):
    rest = rest_of(bundle=str(jumping.path), macro=True, horizon=23)  # the last jump is a whole one
    rest.pursue(goal_at(0.6, 0.0))
    assert rest.believe().status == Command.ACTIVE
    rest.until(lambda: rest.plans)
    plan = rest.plans[0]
    assert plan.horizon == len(plan.objects[0].poses) == len(plan.tool) == 24
    assert np.abs(np.diff([tool.position.x for tool in plan.tool])).max() < 1.5 * jumping.action.scale["x"]


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("macro", True, "expected a bundle with a macro predictor"),
        ("planner", "policy", "expected a bundle with a policy"),
        ("policy_seeds", "always", "expected a bundle with a policy"),
        ("cost.value", 1.0, "graph value"),
    ],
)
def test_what_the_bundle_does_not_bring_is_refused(node, bare, capfd, parameter, value, expected):
    node.set_parameters([Parameter("bundle", value=str(bare)), Parameter(parameter, value=value)])
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert expected in capfd.readouterr().err


def test_a_planner_or_a_seeding_that_does_not_exist_is_refused(node):
    for name, value in (("planner", "magic"), ("policy_seeds", "sometimes"), ("policy_trust", -1.0)):
        (answer,) = node.set_parameters([Parameter(name, value=value)])
        assert not answer.successful and name in answer.reason


def test_a_prepared_bundle_takes_over_with_its_first_belief_and_the_goal_goes_on(rest, another):
    handle = rest.pursue(goal_at(0.6, 0.0))
    moved = [rest.believe() for _ in range(3)]
    assert rest.prepared(another).success
    assert rest.believe().status == Command.ACTIVE
    assert rest.plans[-1].model_id == BUNDLE.id
    last = rest.believe(model_id="another")
    assert last.status == Command.ACTIVE and np.linalg.norm(last.action) > 0.1
    rest.until(lambda: rest.plans[-1].model_id == "another")
    assert (last.tool_start.position.x, last.tool_start.position.y) == pytest.approx(
        (rest.commands[-2].tool_end.position.x, rest.commands[-2].tool_end.position.y), abs=1e-6
    )  # from where it was sent
    assert len(moved) + 2 == len(rest.commands) and handle.status in (
        GoalStatus.STATUS_ACCEPTED,
        GoalStatus.STATUS_EXECUTING,
    )
    for _ in range(3):
        rest.believe((0.6, 0.0), model_id="another")
    assert rest.wait(handle.get_result_async()).result.success


@pytest.mark.parametrize(
    ("parameters", "says"),
    [({"planner": "policy"}, "policy"), ({"macro": True}, "macro predictor")],
)
def test_a_bundle_that_the_planner_cannot_work_with_is_refused(rest_of, another, straight, jumping, parameters, says):
    bundle = straight if "planner" in parameters else jumping.path
    rest = rest_of(bundle=str(bundle), **parameters)
    answer = rest.prepared(another)
    assert not answer.success and says in answer.message
    assert rest.believe().status == Command.IDLE
