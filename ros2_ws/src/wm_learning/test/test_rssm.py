"""What is particular to the rssm family: categorical variables, branching futures that repeat, a belief that waits for a hidden object."""

import numpy as np
import pytest
import torch

from wm_core.bundle import HIDDEN_LOGIT, Bundle
from wm_core.config import configure
from wm_learning.export.bundle import export_bundle
from wm_learning.families import phases
from wm_learning.families.base import OBJECT, VISIBILITY
from wm_learning.families.rssm import RssmConfig, RssmModel
from wm_learning.families.rssm.cell import UNIMIX, Cell, balanced, divergence, gumbel, sample
from wm_learning.families.rssm.training import RssmTraining
from wm_learning.pipelines.train import RunSettings, split
from wm_learning.training.trainer import Draw, Trainer

TINY = {"images": {"steps": 2, "batch": 4}, "sequences": {"steps": 3, "batch": 4, "validate_every": 2}}


def make(settings=TINY):
    torch.manual_seed(0)
    return RssmModel(configure(RssmConfig, settings))


def seen(model, place, visible=True):
    """Embedding (1, D) of an object seen at a place, or not."""
    embedding = torch.zeros(1, model.sizes.embedding)
    embedding[0, OBJECT] = torch.tensor(place)
    embedding[0, 2:4] = -13.0
    embedding[0, VISIBILITY] = 8.0 if visible else HIDDEN_LOGIT
    return embedding


# -- variables -------------------------------------------------------------------------------------------------------


def test_samples_are_one_hot_and_come_as_often_as_they_are_probable():
    distribution = torch.tensor([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
    noise = gumbel(20000, 2, 3, generator=torch.Generator().manual_seed(0))
    drawn = sample(distribution.expand(20000, -1, -1), noise).unflatten(-1, (2, 3))
    assert ((drawn == 0) | (drawn == 1)).all()
    assert (drawn.sum(-1) == 1).all()
    torch.testing.assert_close(drawn.mean(0), distribution, atol=0.02, rtol=0)


def test_without_noise_the_most_probable_class_is_chosen():
    assert sample(torch.tensor([[0.1, 0.6, 0.3]])).tolist() == [0, 1, 0]


def test_gradients_go_straight_through_a_sample():
    distribution = torch.tensor([[0.1, 0.6, 0.3]], requires_grad=True)
    (sample(distribution) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert distribution.grad.tolist() == [[1, 2, 3]]


def test_no_class_is_ever_impossible():
    cell = Cell(deterministic=4, groups=2, classes=5, inputs=3, seen=1, hidden=8)
    prior = cell.prior(1000 * torch.randn(100, 4))
    assert prior.min() >= UNIMIX / 5 * 0.99
    torch.testing.assert_close(prior.sum(-1), torch.ones(100, 2))


def test_prior_and_posterior_are_pulled_together_each_at_its_own_weight():
    prior, posterior = (torch.tensor([[values]], requires_grad=True) for values in ([0.9, 0.1], [0.1, 0.9]))
    assert divergence(posterior, prior).item() == pytest.approx(0.8 * np.log(9), rel=1e-5)
    balanced(posterior, prior, dynamics=1.0, representation=0.0, free=0.1).sum().backward()
    assert prior.grad.abs().sum() > 0
    assert not posterior.grad.any()


def test_a_divergence_below_the_free_bits_teaches_nothing():
    prior, posterior = (torch.tensor([[values]], requires_grad=True) for values in ([0.5, 0.5], [0.4, 0.6]))
    balanced(posterior, prior, dynamics=1.0, representation=1.0, free=1.0).sum().backward()
    assert not prior.grad.any()
    assert not posterior.grad.any()


# -- futures ---------------------------------------------------------------------------------------------------------


def test_futures_branch_by_member_and_not_by_candidate():
    model = make().eval()
    latent, actions = 0.3 * torch.randn(1, 1, model.sizes.latent), torch.rand(1, 12, 2).expand(5, -1, -1)
    with torch.no_grad():
        readout, _, _ = model.rollout(latent, actions)
    assert torch.equal(readout[:, 0], readout[:, 4])
    ends = readout[:, 0, -1, 0:2]
    assert len({tuple(end) for end in ends.tolist()}) == model.sizes.members


def test_the_exported_graphs_repeat_the_model_bit_for_bit_in_every_run(tmp_path):
    model = make().eval()
    folder = export_bundle(model, tmp_path / "bundle", "rssm-test", surprise_threshold=1.0, data={}, metrics={})
    latent = (0.3 * torch.randn(1, 1, model.sizes.latent)).numpy()
    actions = np.random.default_rng(0).uniform(-1, 1, (7, 12, 2)).astype(np.float32)
    runs = [Bundle.load(folder).run("rollout", latent=latent, actions=actions) for _ in range(2)]
    for name, values in runs[0].items():
        assert np.array_equal(values, runs[1][name])
    with torch.no_grad():
        readout, _, final = model.rollout(torch.from_numpy(latent), torch.from_numpy(actions))
    np.testing.assert_allclose(runs[0]["readout"], readout.numpy(), atol=1e-5)
    np.testing.assert_allclose(runs[0]["final"], final.numpy(), atol=1e-4)


# -- belief ----------------------------------------------------------------------------------------------------------


def test_a_hidden_object_leaves_the_variables_to_the_prior_and_its_place_to_the_prediction():
    model = make().eval()
    mean, variance = (value[None] for value in model.initial())
    proprio, still = torch.tensor([[0.4, 0.0, 0.4, 0.0]]), torch.zeros(1, 2)
    noise = model.noise[:, 0]
    with torch.no_grad():
        for _ in range(4):
            mean, variance, *_ = model.filter(mean, variance, still, seen(model, [0.5, 0.1]), proprio)
        outputs = model.update(mean, variance, still, seen(model, [0.3, -0.3], visible=False), proprio, noise, 0.0)
    after, after_variance, predicted, _, surprise, prior, posterior, _ = outputs
    torch.testing.assert_close(posterior, prior)
    torch.testing.assert_close(after[:, OBJECT], predicted, atol=1e-4, rtol=0)
    assert (after_variance[:, OBJECT] > variance[:, OBJECT]).all()
    assert surprise.item() < 1e-6
    assert not torch.equal(after[:, model.memory], mean[:, model.memory])  # it goes on


def test_what_is_seen_moves_the_variables():
    model = make().eval()
    mean, variance = (value[None] for value in model.initial())
    proprio, still = torch.tensor([[0.4, 0.0, 0.4, 0.0]]), torch.zeros(1, 2)
    with torch.no_grad():
        *_, prior, posterior, _ = model.update(
            mean, variance, still, seen(model, [0.5, 0.1]), proprio, model.noise[:, 0], 0.0
        )
    assert divergence(posterior, prior).item() > 0


# -- training --------------------------------------------------------------------------------------------------------


def test_the_evidence_reaches_every_part_of_the_model(dataset):
    model = make()
    training = RssmTraining(model, dataset, np.arange(10), np.arange(10, 12))
    training.image_loss(Draw((0,)))[0].backward()
    training.embeddings = torch.rand(3, len(dataset.episode), model.sizes.embedding)
    training.sequence_loss(Draw((0,)), training._starts[:4])[0].backward()
    untouched = [name for name, p in model.named_parameters() if p.numel() and (p.grad is None or not p.grad.any())]
    assert untouched == []


def test_a_loss_depends_on_its_draw_alone(dataset):
    model = make()
    training = RssmTraining(model, dataset, np.arange(10), np.arange(10, 12))
    training.embeddings = torch.rand(3, len(dataset.episode), model.sizes.embedding)
    with torch.no_grad():
        losses = []
        for seed in (1, 2, 1):
            torch.manual_seed(len(losses))  # what other code does with torch's own randomness does not matter
            losses.append(training.sequence_loss(Draw((seed,)), training._starts[:8])[0].item())
    assert losses[0] == losses[2] != losses[1]


def test_sequences_teach_what_a_push_does(dataset):
    model = make({"sequences": {"batch": 32}, "pictures": 2})
    training = RssmTraining(model, dataset, np.arange(10), np.arange(10, 12))
    embeddings = seen(model, [0.0, 0.0]).repeat(len(dataset.episode), 1)  # that see well, and nothing but where it is
    embeddings[:, OBJECT] = torch.from_numpy(dataset.object_xy)
    training.embeddings = embeddings.expand(3, -1, -1)
    optimizer = torch.optim.Adam(training.sequence_parameters(), 3e-3)

    def held_out():
        with torch.no_grad():
            return training.held_out_loss(Draw((0,)), training._held_out[::4]).item()

    before = held_out()
    for step in range(30):
        draw = Draw((0, step))
        loss, _ = training.sequence_loss(draw, draw.rng.choice(training._starts, 32))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert held_out() < 0.5 * before


def test_a_killed_training_goes_on_to_the_same_result(dataset, tmp_path):
    parts = split(dataset, RunSettings(validation_share=0.2))
    whole = make()
    Trainer(whole, tmp_path / "whole", seed=0).run(phases(whole, dataset, *parts))

    killed = make()
    trainer = Trainer(killed, tmp_path / "killed", seed=0, checkpoint_s=0)
    update, left = trainer._update, iter(range(4))

    def dies(*args):
        if next(left, None) is None:
            raise KeyboardInterrupt
        update(*args)

    trainer._update = dies
    with pytest.raises(KeyboardInterrupt):
        trainer.run(phases(killed, dataset, *parts))
    again = make()
    Trainer(again, tmp_path / "killed", seed=0).run(phases(again, dataset, *parts))
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
