"""Rollouts of the shipped model: shapes, chaining, physics that a push must show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.bundle import Bundle, BundleError
from wm_dynamics.rollout import RolloutEngine


@pytest.fixture(scope="module")
def engine(bundle):
    return RolloutEngine(bundle)


@pytest.fixture
def latent(bundle, block):
    """Block at (0.5, 0), tool 8 cm before it."""
    return np.concatenate([[0.5, 0.0, 0.42, 0.0, 0.0, 0.0], block([0.5, 0.0])[5:]]).astype(np.float32)


def forward(count, steps):
    return np.tile(np.array([1.0, 0.0], np.float32), (count, steps, 1))


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 5), st.integers(1, 30))
def test_any_number_of_branches_and_steps(bundle, count, steps):
    futures = RolloutEngine(bundle).rollout(bundle.initial_mean, np.zeros((count, steps, 2), np.float32))
    shape = (bundle.ensemble, count, steps)
    assert futures.object().shape == futures.tool_at().shape == futures.variance.shape == (*shape, 2)
    assert futures.scene.position.shape == (*shape, 1, 3) and futures.tool.values.shape == (*shape, 6)
    assert futures.mean_object().shape == (count, steps, 2)
    assert futures.epistemic_std().shape == futures.total_std().shape == (count, steps)
    assert (futures.total_std() >= futures.epistemic_std()).all()


def test_a_shorter_horizon_is_the_beginning_of_a_longer_one(engine, bundle, latent):
    actions = np.random.default_rng(0).uniform(-0.7, 0.7, (4, bundle.horizon, 2)).astype(np.float32)
    whole = engine.rollout(latent, actions).object()[:, :, :5].copy()
    part = engine.rollout(latent, actions[:, :5]).object()
    np.testing.assert_allclose(part, whole, atol=1e-6)


def test_long_horizons_chain(engine, bundle, latent):
    steps = bundle.horizon + 5
    actions = np.random.default_rng(1).uniform(-0.7, 0.7, (3, steps, 2)).astype(np.float32)
    chained = engine.rollout(latent, actions)
    whole, variance = chained.object().copy(), chained.variance.copy()
    first = engine.rollout(latent, actions[:, : bundle.horizon])
    second = engine.rollout(first.final.copy(), actions[:, bundle.horizon :])
    np.testing.assert_allclose(whole[:, :, bundle.horizon :], second.object(), atol=1e-5)
    assert (np.diff(variance, axis=2) >= -1e-9).all()  # uncertainty grows over the seam


@pytest.mark.parametrize("steps", [3, 12, 21])
def test_jumps_end_where_steps_do(engine, jumping, latent, steps):
    actions = np.random.default_rng(3).uniform(-0.7, 0.7, (3, steps, 2)).astype(np.float32)
    jumps = RolloutEngine(jumping, macro=True, near=0).rollout(latent, actions)
    whole = engine.rollout(latent, actions)
    assert list(jumps.steps) == list(range(3, steps + 1, 3))
    for name in ("readout", "variance"):
        np.testing.assert_allclose(getattr(jumps, name), getattr(whole, name)[:, :, 2::3], atol=1e-5)


def test_the_near_future_is_imagined_step_by_step_and_the_rest_in_jumps(engine, bundle, jumping, latent):
    macro = RolloutEngine(jumping, macro=True)
    near = bundle.horizon
    actions = np.random.default_rng(4).uniform(-0.7, 0.7, (3, near + 9, 2)).astype(np.float32)
    both, whole = macro.rollout(latent, actions), engine.rollout(latent, actions)
    assert list(both.steps) == [*range(1, near + 1), near + 3, near + 6, near + 9]
    for name in ("readout", "variance"):
        np.testing.assert_allclose(getattr(both, name), getattr(whole, name)[:, :, both.steps - 1], atol=1e-5)
    shorter = macro.rollout(latent, actions[:, :5])
    np.testing.assert_allclose(shorter.object(), engine.rollout(latent, actions[:, :5]).object(), atol=1e-6)


def test_no_jump_is_cut_short(bundle, jumping):
    macro = RolloutEngine(jumping, macro=True)
    assert [macro.count(bundle.horizon + more) - bundle.horizon for more in (-2, 0, 1, 3, 4)] == [-2, 0, 1, 1, 2]
    assert list(macro.spans(bundle.horizon + 2)) == [1] * bundle.horizon + [3, 3]
    with pytest.raises(ValueError, match=f"whole jumps, {bundle.horizon + 3} steps, got {bundle.horizon + 2}"):
        macro.rollout(jumping.initial_mean, np.zeros((1, bundle.horizon + 2, 2), np.float32))
    with pytest.raises(ValueError, match="before the jumps, got 5"):
        RolloutEngine(jumping, macro=True, near=5)


def test_a_bundle_that_cannot_jump_is_refused(bare):
    with pytest.raises(BundleError, match=r"macro predictor, got one without; make one with ./wm macro"):
        RolloutEngine(Bundle.load(bare), macro=True)


def test_branches_do_not_influence_each_other(engine, bundle, latent):
    actions = np.random.default_rng(2).uniform(-0.7, 0.7, (16, bundle.horizon, 2)).astype(np.float32)
    together = engine.rollout(latent, actions).object().copy()
    np.testing.assert_allclose(engine.rollout(latent, actions[3:4]).object()[:, 0], together[:, 3], atol=1e-6)


def test_the_tool_goes_where_it_is_commanded(engine, latent):
    path = engine.rollout(latent, forward(1, 3)).mean_tool()[0]
    np.testing.assert_allclose(path[-1], [0.42 + 0.09, 0.0], atol=0.01)


def test_a_push_moves_the_object_and_a_retreat_does_not(engine, latent):
    pushed = engine.rollout(latent, forward(1, 5)).mean_object()[0, -1].copy()
    left_alone = engine.rollout(latent, -forward(1, 3)).mean_object()[0, -1].copy()
    assert pushed[0] > 0.53
    np.testing.assert_allclose(left_alone, [0.5, 0.0], atol=0.01)


def test_decoded_views_show_the_tool(engine, bundle, latent):
    images, readout = engine.decode(latent[None])
    assert images.shape == (1, bundle.bev.rows, bundle.bev.columns, 3) and images.dtype == np.uint8
    np.testing.assert_allclose(readout[0], latent[:4], atol=1e-6)
    row = int((latent[2] - bundle.bev.x_min) / bundle.bev.cell)
    column = int((latent[3] - bundle.bev.y_min) / bundle.bev.cell)
    assert images[0, row, column].mean() < images[0].mean()


@pytest.mark.parametrize(("latent_shape", "action_shape"), [((3,), (1, 2, 2)), ((18,), (1, 2, 3)), ((18,), (0, 2, 2))])
def test_wrong_shapes_are_refused(engine, bundle, latent_shape, action_shape):
    shape = (bundle.latent_size,) if latent_shape == (18,) else latent_shape
    with pytest.raises(ValueError, match="expected"):
        engine.rollout(np.zeros(shape, np.float32), np.zeros(action_shape, np.float32))
