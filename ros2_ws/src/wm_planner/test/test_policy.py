"""A bundle's policy: followed as it is, searched around, or left where its outcome is not known."""

import numpy as np
import pytest

from wm_core.bundle import Bundle, BundleError
from wm_planner.policy import Policy, policy_for

GOAL = np.array([0.60, 0.0])


@pytest.fixture(scope="module")
def bundle(straight):
    return Bundle.load(straight)


def latent_of(bundle, tool=(0.42, 0.0)):
    latent = bundle.initial_mean.copy()
    latent[2:4] = tool
    return latent


def test_what_is_intended_begins_with_what_the_policy_does(bundle):
    intended = Policy(bundle, 12).intend(latent_of(bundle), GOAL)
    assert intended.shape == (12, 2) and intended.dtype == np.float32
    act = bundle.run("policy", latent=latent_of(bundle)[None], goal=GOAL[None].astype(np.float32))["action"][0]
    np.testing.assert_allclose(intended[0], act, atol=1e-6)
    np.testing.assert_allclose(act, [1, 0], atol=1e-6)


@pytest.mark.parametrize("horizon", [1, 5, 12, 20])
def test_plans_of_any_length_stay_where_the_graph_ends(bundle, horizon):
    intended = Policy(bundle, horizon).intend(latent_of(bundle), GOAL)
    assert intended.shape == (horizon, 2)
    assert (intended[12:] == 0).all() and (np.linalg.norm(intended[:12], axis=1) > 0.9).all()


def test_a_policy_is_used_where_it_is_asked_for_or_welcome(bundle, bare):
    without = Bundle.load(bare)
    assert isinstance(policy_for(bundle, "policy", "never", 12), Policy)
    assert isinstance(policy_for(bundle, "icem", "auto", 12), Policy)
    assert policy_for(bundle, "icem", "never", 12) is None
    assert policy_for(without, "icem", "auto", 12) is None


@pytest.mark.parametrize(("planner", "seeding"), [("policy", "auto"), ("icem", "always")])
def test_a_bundle_without_a_policy_is_refused_where_one_is_asked_for(bare, planner, seeding):
    with pytest.raises(BundleError, match=r"expected a bundle with a policy.*\./wm policy"):
        policy_for(Bundle.load(bare), planner, seeding, 12)


def test_an_unknown_seeding_is_refused(bundle):
    with pytest.raises(ValueError, match="policy_seeds: expected one of auto, always, never"):
        policy_for(bundle, "icem", "sometimes", 12)
