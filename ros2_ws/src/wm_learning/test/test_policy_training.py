"""A policy from imagination: what the planner shows, practice inside the model, and a bundle that brings it."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from wm_core.bundle import Bundle, BundleError
from wm_core.config import SettingError, configure
from wm_learning.export.weights import load_model
from wm_learning.families.base import OBJECT
from wm_learning.pipelines.train import RunSettings, train_bundle
from wm_learning.policy.demonstrations import demonstrate
from wm_learning.policy.imagination import Imagination, draw_goals
from wm_learning.policy.networks import Act, ActorCritic
from wm_learning.policy.pipeline import train_policy
from wm_learning.policy.training import PolicySettings, reward
from wm_planner.costs import CostModel
from wm_tasks.settings import REACH, TASK

TINY_MODEL = {"images": {"steps": 3, "batch": 4}, "sequences": {"steps": 4, "batch": 4, "validate_every": 2}}
TINY = configure(
    PolicySettings,
    {
        "hidden": 16,
        "distill": {"rounds": 2, "episodes": 3, "length": 2, "steps": 3, "batch": 8},
        "imagine": {"steps": 3, "batch": 4, "horizon": 3, "validate_every": 2},
    },
)


@pytest.fixture(scope="module")
def bundle(dataset, tmp_path_factory):
    return train_bundle(
        dataset, tmp_path_factory.mktemp("model") / "bundle", RunSettings(validation_share=0.2), TINY_MODEL
    )


@pytest.fixture(scope="module")
def with_policy(bundle, dataset):
    return train_policy(bundle, dataset, bundle.with_name("policy"), TINY)


def test_a_bundle_with_a_policy_is_the_same_model_and_knows_what_it_intends(bundle, with_policy):
    before, after = Bundle.load(bundle), Bundle.load(with_policy)
    assert after.id.startswith(before.id) and after.id != before.id
    assert after.spec["policy"]["of"] == before.id and 0 <= after.spec["policy"]["imagined_success"] <= 1
    situation = {"latent": after.initial_mean[None], "goal": np.array([[0.5, 0.1]], np.float32)}
    actions = after.run("intend", **situation)["actions"]
    assert actions.shape == (1, after.horizon, 2) and (np.linalg.norm(actions, axis=-1) <= 1).all()
    np.testing.assert_allclose(actions[:, 0], after.run("policy", **situation)["action"], atol=1e-5)
    assert np.isfinite(after.run("value", **situation)["value"]).all()
    # The second action is what the policy does where the model says that the first leads.
    imagined = after.run("rollout", latent=situation["latent"][None], actions=actions)
    assert np.isfinite(imagined["readout"]).all()
    first = np.zeros_like(actions)
    first[:, 0] = actions[:, 0]
    model = load_model(bundle)
    following = model.rollout(torch.tensor(situation["latent"])[None], torch.tensor(first[:, :1]))[2].mean(0)
    second = after.run("policy", latent=following.detach().numpy(), goal=situation["goal"])["action"]
    np.testing.assert_allclose(actions[:, 1], second, atol=1e-4)


def test_the_graph_of_a_policy_is_folded_and_does_the_same():
    nets, latent, goal = ActorCritic(12, 16), torch.rand(5, 18), torch.rand(5, 2)
    torch.testing.assert_close(Act(nets)(latent, goal), nets.act(latent, goal), atol=1e-5, rtol=1e-4)


def test_the_same_training_gives_the_same_policy(bundle, with_policy, dataset, tmp_path):
    shutil.copytree(bundle, tmp_path / "bundle")
    again = Bundle.load(train_policy(tmp_path / "bundle", dataset, tmp_path / "policy", TINY))
    assert again.spec["files"] == Bundle.load(with_policy).spec["files"]


def test_what_cannot_be_trained_is_refused_with_the_reason(bundle, with_policy, dataset, tmp_path):
    with pytest.raises(BundleError, match="without a trained policy"):
        train_policy(with_policy, dataset, tmp_path / "policy", TINY)
    with pytest.raises(SettingError, match="data that .* was trained on"):
        train_policy(bundle, dataset.subset(np.arange(5)), tmp_path / "policy", TINY)
    with pytest.raises(SettingError, match="another seed"):
        train_policy(bundle, dataset, with_policy, replace(TINY, seed=1))


def test_the_planner_shows_what_to_do_where_the_pupil_comes(bundle):
    loaded, model = Bundle.load(bundle), load_model(bundle)
    starts = np.repeat(loaded.initial_mean[None], 2, 0)
    asked = []

    def pupil(latent, goal):
        asked.append(len(latent))
        return torch.zeros(len(latent), 2)

    shown = demonstrate(loaded, model, starts, 3, seed=0, pupil=pupil, iterations=1)
    assert asked == [2, 2, 2]
    assert len(shown.latent) == len(shown.goal) == len(shown.action) == 6
    assert np.linalg.norm(shown.action, axis=-1).max() <= 1 + 1e-6


def test_success_is_to_come_to_the_goal(bundle):
    model = load_model(bundle)
    latent = torch.tensor(Bundle.load(bundle).initial_mean[None].repeat(4, 0))

    def still(latent, goal):
        return torch.zeros(len(latent), 2)

    there, elsewhere = latent[:, OBJECT].clone(), latent[:, OBJECT] + 0.2
    assert Imagination(model, np.arange(4)).success(still, latent, there, 1) == 1
    assert Imagination(model, np.arange(4)).success(still, latent, elsewhere, 1) == 0


def test_goals_are_on_the_table_and_a_third_of_them_near():
    object_xy = np.tile([0.5, 0.0], (3000, 1))
    distance = np.linalg.norm(draw_goals(np.random.default_rng(0), object_xy) - object_xy, axis=-1)
    assert distance.max() < 0.35 and 0.2 < (distance < 0.05).mean() < 0.4


def test_rewards_are_best_where_the_object_is_at_the_goal():
    latent = torch.zeros(3, 10)
    latent[:, 0:2] = torch.tensor([[0.5, 0.0], [0.45, 0.0], [0.4, 0.0]])
    latent[:, 2:4] = latent[:, 0:2] - torch.tensor([0.055, 0.0])
    gained = reward(latent, torch.zeros(3, 2), torch.tensor([[0.5, 0.0]] * 3))
    assert gained[0] > gained[1] > gained[2]


def test_rewards_are_the_planner_s_costs_on_tensors():
    """Terms of single places are the same numbers with torch as with numpy, and have a slope everywhere."""
    rng, costs = np.random.default_rng(0), CostModel(TASK, REACH)
    latent = rng.uniform([0.3, -0.3, 0.3, -0.3], [0.7, 0.3, 0.7, 0.3], (50, 4)).astype(np.float32)
    latent[0, 0:2] = [0.5, 0.0]  # at the goal
    goal, action = np.full((50, 2), [0.5, 0.0], np.float32), rng.uniform(-1, 1, (50, 2)).astype(np.float32)
    terms = costs.place_terms(latent[:, 0:2], latent[:, 2:4], goal)
    expected = -(sum(terms.values()) + costs.weights["effort"] * (action**2).sum(-1))
    tensor = torch.from_numpy(latent).requires_grad_(True)
    found = reward(tensor, torch.from_numpy(action), torch.from_numpy(goal))
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=2e-5)
    found.sum().backward()
    assert torch.isfinite(tensor.grad).all()
