"""Cost terms prefer what a person would."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wm_core.bundle import Bundle, BundleError
from wm_core.futures import Futures
from wm_core.robot import load_robot
from wm_core.specs import ActionSpec, StateSpec
from wm_core.task import TaskError, load_task
from wm_dynamics.calibration import Calibration
from wm_dynamics.rollout import RolloutEngine
from wm_planner.costs import CostModel

GOAL = np.array([0.6, 0.0])
STATE, ACTION = StateSpec(1, ("x", "y"), ("x", "y"), 2), ActionSpec({"x": 0.03, "y": 0.03})
TASK = load_task("push")
REACH = load_robot().reach_region


def future(object_xy, tool, spread=0.0):
    """One branch of five equal steps, two ensemble members `spread` apart."""
    members = np.array([-0.5, 0.5])[:, None, None, None] * spread
    objects = np.tile(np.asarray(object_xy, float), (2, 1, 5, 1)) + members
    tools = np.tile(np.asarray(tool, float), (2, 1, 5, 1))
    readout = np.concatenate([objects, tools], -1)
    return Futures(
        STATE, ACTION, readout, np.zeros_like(objects), {"final": np.zeros((2, 1, 8))}, readout[:, :, 0].mean(0)
    )


def terms(object_xy, tool, actions=0.0, **options):
    return {
        k: float(v[0])
        for k, v in CostModel(TASK, REACH)
        .terms(future(object_xy, tool, **options), np.full((1, 5, 2), actions), GOAL)
        .items()
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
    model = CostModel(TASK, REACH)
    assert model.cost(imagined, actions, GOAL)[0] == pytest.approx(
        sum(v[0] for v in model.terms(imagined, actions, GOAL).values())
    )


def test_a_calibrated_model_pays_for_the_width_of_its_intervals():
    wide = np.full((2, 1, 1), 7.0)  # times the predicted deviation, for still and for moving objects
    imagined = future([0.5, 0.1], [0.4, 0.1], spread=0.04)
    calibrated = CostModel(TASK, REACH, calibration=Calibration((0.9,), (1,), 0.005, 1e-6, wide))
    np.testing.assert_allclose(
        calibrated.uncertainty(imagined), 7 * CostModel(TASK, REACH).uncertainty(imagined), rtol=1e-6
    )


def test_what_follows_the_plan_counts_when_it_is_given_a_weight(straight):
    """The value of this bundle is ten for every metre that the object will be away from the goal."""
    bundle = Bundle.load(straight)
    futures = RolloutEngine(bundle).rollout(bundle.initial_mean, np.zeros((3, 12, 2), np.float32))
    left_out, counted = (
        CostModel.of(bundle, TASK, REACH, {"value": weight}).terms(futures, np.zeros((3, 12, 2)), GOAL)["value"]
        for weight in (0.0, 6.0)
    )
    assert left_out.tolist() == [0, 0, 0]
    away = np.linalg.norm(futures.final[..., 0:2] - GOAL, axis=-1).mean(0)
    np.testing.assert_allclose(counted, 6.0 * 10 * away / 12, rtol=1e-4)


def test_a_value_that_the_bundle_does_not_bring_is_refused(bare):
    with pytest.raises(BundleError, match=r"graph value for cost\.value 1\.0"):
        CostModel.of(Bundle.load(bare), TASK, REACH, {"value": 1.0})
    with pytest.raises(ValueError, match=r"cost\.value"):
        CostModel(TASK, REACH, {"value": 1.0})


# -- as they were before each term had a file of its own -----------------------------------------------------------


@pytest.fixture(scope="module")
def saved():
    """Inputs and the numbers that the costs of pushing had when they were one formula, value 2 and all."""
    return dict(np.load(Path(__file__).parent / "data/push_costs.npz"))


@pytest.fixture
def saved_futures(saved):
    readout, start = (np.concatenate(parts, -1) for parts in ((saved["object"], saved["ee"]), 2 * (saved["start"],)))
    return Futures(STATE, ACTION, readout, saved["variance"], {"final": saved["final"]}, start, saved["ends"])


@pytest.fixture
def same():
    multipliers = np.array([[[2.0], [3.0]], [[1.5], [2.5]]])
    return CostModel(
        TASK,
        REACH,
        {"value": 2.0},
        calibration=Calibration((0.9,), (1, 12), 0.005, 1e-3, multipliers),
        cost_to_go=lambda latents, goal: 3 * np.abs(latents).sum(-1),
    )


def test_pushing_costs_what_it_did(saved, saved_futures, same):
    terms = same.terms(saved_futures, saved["actions"], saved["goal"])
    for name, values in terms.items():
        np.testing.assert_allclose(
            values, saved[f"term_{name}"], rtol=1e-6, atol=1e-9
        )  # another processor may round so
        assert values.dtype == saved[f"term_{name}"].dtype
    np.testing.assert_allclose(same.cost(saved_futures, saved["actions"], saved["goal"]), saved["total"], rtol=1e-6)
    assert [f"term_{name}" for name in terms] == [name for name in saved if name.startswith("term_")]


def test_pushing_costs_bit_for_bit_what_the_formula_says(saved, saved_futures, same):
    """The formula in one piece, with its order of operations."""
    object_xy, tool, goal, actions = (
        saved_futures.mean_object(),
        saved_futures.mean_tool(),
        saved["goal"],
        saved["actions"],
    )
    share = (np.diff(saved["ends"], prepend=0) / 12).astype(np.float32)

    def length(vectors):
        return ((vectors**2).sum(-1) + 1e-18) ** 0.5

    def outside(points, box):
        beyond = [(low - points[..., i]).clip(0) + (points[..., i] - high).clip(0) for i, (low, high) in enumerate(box)]
        return beyond[0] + beyond[1]

    away = object_xy - goal
    distance = length(away)
    back = away / (distance[..., None] + 1e-6)
    gate = (distance / 0.02).clip(None, 1.0)
    gap = length(tool - object_xy)
    cosine = ((tool - object_xy) * back).sum(-1) / (gap + 1e-6)
    straying = outside(object_xy, ((0.35, 0.65), (-0.25, 0.25))) + outside(tool, ((0.28, 0.72), (-0.32, 0.32)))
    expected = {
        "goal": (10.0 * distance) @ share,
        "fine": (1.0 * (distance / (distance + 0.015))) @ share,
        "approach": (4.0 * (gate * length(tool - object_xy - 0.055 * back))) @ share,
        "side": (3.0 * (gate * ((0.75 - cosine).clip(0) * (1 - gap / 0.085).clip(0)))) @ share,
        "workspace": (60.0 * straying) @ share,
        "terminal": 15.0 * length(object_xy[:, -1] - goal),
        "effort": 0.02 * (actions**2).sum(-1).mean(1),
        "smoothness": 0.02 * (np.diff(actions, axis=1) ** 2).sum(-1).sum(1) / 12,
        "uncertainty": 2.0 * (same.uncertainty(saved_futures) @ share),
        "value": 2.0 * (3 * np.abs(saved["final"]).sum(-1)).mean(0) / 12,
    }
    terms = same.terms(saved_futures, actions, goal)
    assert list(terms) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(terms[name], values, err_msg=name)
    np.testing.assert_array_equal(same.cost(saved_futures, actions, goal), sum(expected.values()))


def test_terms_of_single_places_are_the_same_numbers(saved):
    terms = CostModel(TASK, REACH).place_terms(saved["object"][0], saved["ee"][0], saved["goal"])
    assert [f"place_{name}" for name in terms] == [name for name in saved if name.startswith("place_")]
    for name, values in terms.items():
        np.testing.assert_allclose(values, saved[f"place_{name}"], rtol=1e-6, atol=1e-9)


def test_goals_along_axes_that_no_term_is_about_are_refused():
    with pytest.raises(TaskError, match="push.yaml: goal.axes: expected .'x', 'y'., .* got .'x', 'y', 'yaw'."):
        CostModel(replace(TASK, goal_axes=("x", "y", "yaw")), REACH)
