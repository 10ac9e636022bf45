"""Planners on a problem with a known answer: a point mass that has to reach a place."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wm_core.specs import ActionSpec
from wm_planner.planners import PARAMS, PLANNERS, PlanningError, make_planner
from wm_planner.planners.base import coloured_noise, to_unit_disk

HORIZON = 12
GOAL = np.array([0.25, -0.1])
SEARCHING = list(PARAMS)


def cost(actions):
    """A point starts at the origin and moves 3 cm per unit of action; cost is the mean distance to GOAL."""
    path = 0.03 * np.cumsum(actions, axis=1)
    return np.linalg.norm(path - GOAL, axis=-1).mean(1) + 0.001 * (actions**2).mean((1, 2))


BEST = float(
    cost(to_unit_disk(np.tile(GOAL / np.linalg.norm(GOAL), (1, HORIZON, 1)) * [[[1.0]] * 8 + [[0.98]] + [[0.0]] * 3]))[
        0
    ]
)


@pytest.mark.parametrize("name", SEARCHING)
def test_planners_come_close_to_the_best(name):
    planner = make_planner(name, HORIZON, 2)
    plan = None
    for _ in range(4):  # four control cycles with warm start
        result = planner.plan(cost, plan)
        plan = result.actions
    assert result.cost < 1.15 * BEST
    random = make_planner("random", HORIZON, 2).plan(cost)
    assert result.cost < 0.8 * random.cost


@pytest.mark.parametrize("name", [*SEARCHING, "random"])
def test_actions_stay_in_the_unit_disk_and_costs_are_honest(name):
    result = make_planner(name, HORIZON, 2).plan(cost)
    assert result.actions.shape == (HORIZON, 2) and result.actions.dtype == np.float32
    assert np.linalg.norm(result.actions, axis=-1).max() <= 1 + 1e-6
    assert result.cost == pytest.approx(float(cost(result.actions[None])[0]))
    assert np.linalg.norm(result.samples, axis=-1).max() <= 1 + 1e-6


@pytest.mark.parametrize("name", [*SEARCHING, "random"])
def test_the_same_seed_gives_the_same_plan(name):
    one, two, other = (make_planner(name, HORIZON, 2, seed).plan(cost).actions for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", SEARCHING)
def test_a_passed_deadline_returns_the_best_so_far(name):
    result = make_planner(name, HORIZON, 2).plan(cost, None, time.monotonic() - 1)
    assert result.deadline_missed and result.iterations == 1
    assert np.isfinite(result.cost)


@pytest.mark.parametrize("name", SEARCHING)
def test_candidates_without_a_cost_are_left_out(name):
    def half_broken(actions):
        costs = cost(actions)
        costs[1::2] = np.nan
        return costs

    assert np.isfinite(make_planner(name, HORIZON, 2).plan(half_broken).cost)
    with pytest.raises(PlanningError, match="not finite"):
        make_planner(name, HORIZON, 2).plan(lambda actions: np.full(len(actions), np.nan))


def test_unknown_planners_and_parameters_are_refused():
    with pytest.raises(ValueError, match="icem"):
        make_planner("magic", HORIZON, 2)
    with pytest.raises(ValueError, match="luck"):
        make_planner("cem", HORIZON, 2, luck=1)
    with pytest.raises(ValueError, match="start actions"):
        make_planner("cem", HORIZON, 2).plan(cost, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="seeds of shape"):
        make_planner("cem", HORIZON, 2).plan(cost, seeds=np.zeros((HORIZON, 2)))


BEST_ACTIONS = to_unit_disk(np.tile(GOAL, (1, HORIZON, 1)) * np.r_[[20] * 9, [0] * 3][None, :, None])


@pytest.mark.parametrize("name", SEARCHING)
def test_a_good_seed_is_found_by_the_shortest_search(name):
    shortest = {"starts": 1, "iterations": 1} if name == "gradient" else {"samples": 4, "iterations": 1}
    params = {**shortest, "elites": 2} if name in ("icem", "cem") else shortest
    alone, seeded = (make_planner(name, HORIZON, 2, **params).plan(cost, seeds=s) for s in (None, BEST_ACTIONS))
    assert seeded.cost <= cost(BEST_ACTIONS)[0] + 1e-6 < alone.cost
    assert seeded.candidates >= alone.candidates + 1


@pytest.mark.parametrize("name", PLANNERS)
def test_candidates_are_as_the_actions_allow(name):
    spec = ActionSpec({"x": 0.02, "y": 0.02, "yaw": 0.1, "grip": 0.01}, (("x", "y"),))
    seen = []

    def widely(actions):
        seen.append(actions)
        return -np.abs(actions).sum((1, 2))  # the larger the better

    plan = make_planner(name, HORIZON, spec).plan(widely).actions
    actions = np.concatenate([part.reshape(-1, spec.size) for part in (*seen, plan[None])])
    assert np.linalg.norm(actions[:, :2], axis=1).max() <= 1 + 1e-6 and np.abs(actions).max() <= 1
    if name != "random":
        assert np.linalg.norm(actions, axis=1).max() > 1.2  # each group and axis by itself


@settings(max_examples=30)
@given(arrays.arrays(np.float32, (3, 4, 2), elements=st.floats(-100, 100, width=32)))
def test_the_unit_disk_keeps_directions(actions):
    inside = to_unit_disk(actions)
    assert (np.linalg.norm(inside, axis=-1) <= 1 + 1e-5).all()
    np.testing.assert_allclose(inside[..., 0] * actions[..., 1], inside[..., 1] * actions[..., 0], atol=1e-2)


@pytest.mark.parametrize("steps", [2, 5, 12])
@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_coloured_noise_has_unit_variance_and_larger_beta_is_smoother(steps, beta):
    noise = coloured_noise(np.random.default_rng(0), 4000, steps, 2, beta)
    assert noise.shape == (4000, steps, 2)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    if steps == 12 and beta:
        white = coloured_noise(np.random.default_rng(0), 4000, steps, 2, 0.0)
        assert np.abs(np.diff(noise, axis=1)).mean() < 0.8 * np.abs(np.diff(white, axis=1)).mean()


@pytest.mark.parametrize("name", SEARCHING)
def test_a_search_that_ends_in_time_has_missed_nothing(name):
    planner = make_planner(name, HORIZON, 2)
    iterations = planner.plan(cost).iterations
    calls = []

    def slow_last(actions):
        calls.append(len(actions))
        if len(calls) == iterations:
            time.sleep(0.3)
        return cost(actions)

    # After the last iteration there would be no time for another one, but none is needed.
    result = planner.plan(slow_last, None, time.monotonic() + 0.5)
    assert result.iterations == iterations and not result.deadline_missed
