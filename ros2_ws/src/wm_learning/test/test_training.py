"""Training on a synthetic table: the model learns to see and to predict, and exports what the runtime loads."""

import numpy as np
import torch

from wm_core.bundle import Bundle
from wm_learning.evaluate import evaluate
from wm_learning.grounded import GroundedModel
from wm_learning.pipeline import train_bundle
from wm_learning.train import TrainConfig, embed, split, train_joint, train_sequence

SHORT = TrainConfig(
    joint_steps=90, joint_batch=16, sequence_steps=60, sequence_batch=64, threads=1, validation_share=0.2
)


def test_training_learns_to_see_and_predict(dataset):
    torch.manual_seed(0)
    model = GroundedModel()
    training, validation = split(dataset, SHORT)
    before = evaluate(model, dataset, embed(model, dataset), validation)
    train_joint(model, dataset, training, SHORT)
    embeddings = embed(model, dataset)
    train_sequence(model, dataset, embeddings, training, SHORT)
    after = evaluate(model, dataset, embeddings, validation)
    assert after.see_median < 0.3 * before.see_median
    assert after.open_loop["model"]["5"] < before.open_loop["model"]["5"]


def test_a_trained_bundle_loads_and_agrees_with_the_model(dataset, tmp_path):
    config = TrainConfig(joint_steps=2, joint_batch=4, sequence_steps=2, sequence_batch=4, threads=1)
    bundle = Bundle.load(train_bundle(dataset, tmp_path / "bundle", config))
    assert bundle.family == "grounded"
    assert bundle.spec["data"]["episodes"] == 12
    actions = np.zeros((3, bundle.horizon, 2), np.float32)
    out = bundle.run("rollout", latent=bundle.initial_mean[None, None], actions=actions)
    assert out["readout"].shape == (bundle.ensemble, 3, bundle.horizon, 4)
    # Equal actions from one belief give equal futures within a member.
    assert np.allclose(out["readout"][:, 0], out["readout"][:, 2])


def test_split_keeps_episodes_whole_and_apart(dataset):
    training, validation = split(dataset, SHORT)
    assert not set(training) & set(validation)
    assert sorted([*training, *validation]) == list(range(12))


def test_windows_never_cross_episodes(dataset):
    starts = dataset.windows(10)
    assert (dataset.episode[starts] == dataset.episode[starts + 9]).all()
    assert len(starts) == 12 * (40 - 9)
