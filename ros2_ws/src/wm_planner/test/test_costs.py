"""Cost terms prefer what a person would."""

import numpy as np
import pytest

from wm_core.bundle import Bundle, BundleError
from wm_dynamics.calibration import Calibration
from wm_dynamics.rollout import Futures, RolloutEngine
from wm_planner.costs import CostModel, CostWeights

GOAL = np.array([0.6, 0.0])


def future(thing, tool, spread=0.0):
    """One branch of five equal steps, two ensemble members `spread` apart."""
    members = np.array([-0.5, 0.5])[:, None, None, None] * spread
    objects = np.tile(np.asarray(thing, float), (2, 1, 5, 1)) + members
    tools = np.tile(np.asarray(tool, float), (2, 1, 5, 1))
    return Futures(objects, tools, np.zeros_like(objects), np.zeros((2, 1, 6)), objects[:, :, 0].mean(0))


def terms(thing, tool, actions=0.0, **options):
    return {
        k: float(v[0])
        for k, v in CostModel().terms(future(thing, tool, **options), np.full((1, 5, 2), actions), GOAL).items()
    }


def test_nearer_the_goal_is_better():
    far, near, there = (terms([x, 0], [0.3, 0.2]) for x in (0.45, 0.55, 0.6))
    for name in ("goal", "terminal", "fine"):
        assert far[name] > near[name] > there[name] == pytest.approx(0, abs=1e-6)


def test_the_last_centimetre_still_counts():
    assert terms([0.59, 0], [0.3, 0.2])["fine"] > 0.3


def test_the_tool_belongs_behind_the_object():
    behind, beside, before = (terms([0.5, 0], tool) for tool in ([0.445, 0], [0.5, 0.055], [0.555, 0]))
    assert behind["approach"] < beside["approach"] < before["approach"]
    assert behind["side"] == 0 and before["side"] > beside["side"] > 0


def test_at_the_goal_the_tool_may_be_anywhere():
    assert terms([0.6, 0], [0.65, 0])["approach"] == pytest.approx(0, abs=1e-6)
    assert terms([0.6, 0], [0.65, 0])["side"] == pytest.approx(0, abs=1e-6)


def test_leaving_the_workspace_costs():
    assert terms([0.5, 0], [0.45, 0])["workspace"] == 0
    assert terms([0.7, 0], [0.65, 0])["workspace"] > 1
    assert terms([0.5, 0], [0.2, 0])["workspace"] > 1


def test_moving_and_not_knowing_cost():
    assert terms([0.5, 0], [0.45, 0], actions=0.7)["effort"] > terms([0.5, 0], [0.45, 0])["effort"] == 0
    assert terms([0.5, 0], [0.45, 0], spread=0.04)["uncertainty"] > terms([0.5, 0], [0.45, 0])["uncertainty"]


def test_the_cost_is_the_sum_of_its_terms():
    imagined, actions = future([0.5, 0.1], [0.4, 0.1]), np.full((1, 5, 2), 0.3)
    model = CostModel()
    assert model.cost(imagined, actions, GOAL)[0] == pytest.approx(
        sum(v[0] for v in model.terms(imagined, actions, GOAL).values())
    )


def test_a_calibrated_model_pays_for_the_width_of_its_intervals():
    wide = np.full((2, 1, 1), 7.0)  # times the predicted deviation, for still and for moving objects
    imagined = future([0.5, 0.1], [0.4, 0.1], spread=0.04)
    calibrated = CostModel(calibration=Calibration((0.9,), (1,), 0.005, 1e-6, wide))
    np.testing.assert_allclose(calibrated.uncertainty(imagined), 7 * CostModel().uncertainty(imagined), rtol=1e-6)


def test_what_follows_the_plan_counts_when_it_is_given_a_weight(straight):
    """The value of this bundle is ten for every metre that the object will be away from the goal."""
    bundle = Bundle.load(straight)
    futures = RolloutEngine(bundle).rollout(bundle.initial_mean, np.zeros((3, 12, 2), np.float32))
    left_out, counted = (
        CostModel.of(bundle, CostWeights(value=weight)).terms(futures, np.zeros((3, 12, 2)), GOAL)["value"]
        for weight in (0.0, 6.0)
    )
    assert left_out.tolist() == [0, 0, 0]
    away = np.linalg.norm(futures.final[..., 0:2] - GOAL, axis=-1).mean(0)
    np.testing.assert_allclose(counted, 6.0 * 10 * away / 12, rtol=1e-4)


def test_a_value_that_the_bundle_does_not_bring_is_refused(bare):
    with pytest.raises(BundleError, match=r"graph value for cost\.value 1\.0"):
        CostModel.of(Bundle.load(bare), CostWeights(value=1.0))
    with pytest.raises(ValueError, match=r"cost\.value"):
        CostModel(CostWeights(value=1.0))
