"""What is particular to the tdmpc family: simplices, returns as distributions, and a worth that follows the rewards."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from wm_core.config import configure
from wm_learning.families.returns import expected, two_hot
from wm_learning.families.tdmpc import TdmpcConfig, TdmpcModel
from wm_learning.families.tdmpc.model import GROUP
from wm_learning.families.tdmpc.training import TdmpcTraining
from wm_learning.training.trainer import Draw

TINY = {"images": {"batch": 4}, "sequences": {"batch": 4}}


@pytest.fixture
def training(dataset):
    torch.manual_seed(0)
    return TdmpcTraining(TdmpcModel(configure(TdmpcConfig, TINY)), dataset, np.arange(10), np.arange(10, 12))


@given(st.floats(-350, 1.5))
def test_two_hot_keeps_the_value(value):
    weights = two_hot(torch.tensor([value]))
    assert weights.sum() == pytest.approx(1)
    assert expected(torch.log(weights + 1e-12)).item() == pytest.approx(value, rel=1e-3, abs=1e-3)


def test_every_group_of_a_state_is_a_simplex_and_stays_one():
    model = TdmpcModel()
    bev = torch.rand(2, 5, model.bev.rows, model.bev.columns)
    state = model.encode(bev)[:, 5:]
    latent = torch.cat([torch.full((2, 6), 0.1), state], 1)
    latents, _ = model.imagine(latent[None], torch.rand(2, 12, 2))
    for value in (state, latents[..., 6:]):
        torch.testing.assert_close(value.unflatten(-1, (-1, GROUP)).sum(-1), torch.ones(*value.shape[:-1], 8))


def test_arriving_where_the_object_is_at_the_goal_is_the_best_reward(training):
    steps = np.array([[20]])
    there = training.data.object_xy[20:21]
    rewards = [training._rewards(steps, there + offset).item() for offset in (0, 0.05, 0.2)]
    assert rewards == sorted(rewards, reverse=True)


def test_the_slow_critics_follow_in_training_only(training):
    starts = training._starts[:4]
    training.embeddings = torch.rand(3, len(training.data.episode), training.model.sizes.embedding)
    before = [p.clone() for p in training.model.heads.slow.parameters()]
    for parameter in training.model.heads.critics.parameters():
        parameter.data += 0.1
    with torch.no_grad():
        training.held_out_loss(Draw((0,)), starts)
    assert all(torch.equal(a, b) for a, b in zip(before, training.model.heads.slow.parameters(), strict=True))
    training.sequence_loss(Draw((0,)), starts)
    assert any(not torch.equal(a, b) for a, b in zip(before, training.model.heads.slow.parameters(), strict=True))


def test_the_policy_climbs_the_critics_without_moving_them(training):
    training.embeddings = torch.rand(3, len(training.data.episode), training.model.sizes.embedding)
    latents = torch.rand(3, 4, 11, training.model.sizes.latent)
    loss, _ = training._worth(latents, training._starts[:4, None] + np.arange(1, 11), np.full((4, 2), 0.4, np.float32))
    loss.backward()
    heads = training.model.heads
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in heads.policy_net.parameters())
    assert all(p.grad is None for p in heads.slow.parameters())


def test_actions_stay_in_the_unit_disk():
    heads = TdmpcModel().heads
    for parameter in heads.policy_net.parameters():
        parameter.data *= 50
    actions = heads.act(torch.randn(100, 70), torch.randn(100, 2))
    assert actions.norm(dim=-1).max() <= 1 + 1e-6  # rounded


def test_a_state_that_is_no_whole_number_of_groups_is_refused():
    with pytest.raises(ValueError, match="multiple of 8 numbers, got 60"):
        TdmpcModel(TdmpcConfig(state=60))
