"""Training on synthetic pushes: it learns, a bundle comes out, and nothing is lost when it is killed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wm_core.bundle import Bundle
from wm_core.compatibility import check_fit
from wm_core.config import SettingError, configure
from wm_core.task import load_task
from wm_learning.export.weights import load_model
from wm_learning.families import FAMILIES, phases
from wm_learning.families.grounded import GroundedConfig, GroundedModel
from wm_learning.families.schedule import in_steps_of
from wm_learning.figures.held_out import evaluate
from wm_learning.pipelines.finetune import FinetuneSettings, finetune
from wm_learning.pipelines.train import RunSettings, split, train_bundle
from wm_learning.training.embeddings import embed
from wm_learning.training.trainer import Trainer

RUN = RunSettings(validation_share=0.2)
SHORT = {"images": {"steps": 120, "batch": 16}, "sequences": {"steps": 60, "batch": 64, "validate_every": 0}}
TINY = {"images": {"steps": 3, "batch": 4}, "sequences": {"steps": 4, "batch": 4, "validate_every": 2}}


OTHERS = {"images": {"steps": 2, "batch": 4}, "sequences": {"steps": 2, "batch": 4, "validate_every": 1}}


def model_of(settings):
    torch.manual_seed(0)
    return GroundedModel(configure(GroundedConfig, settings))


def test_training_learns_to_see_and_predict(dataset, tmp_path):
    model = model_of(SHORT)
    training, held_out = split(dataset, RUN)
    before = evaluate(model, dataset, embed(model, dataset), held_out)
    Trainer(model, tmp_path, seed=0).run(phases(model, dataset, training, held_out))
    after = evaluate(model, dataset, embed(model, dataset), held_out)
    assert after.see_median < 0.3 * before.see_median
    assert after.open_loop["model"]["5"] < before.open_loop["model"]["5"]


@pytest.mark.parametrize(
    ("family", "settings"), [("grounded", TINY), ("jepa", OTHERS), ("rssm", OTHERS), ("tdmpc", OTHERS)]
)
def test_a_trained_bundle_of_any_family_runs_like_any_other(dataset, tmp_path, family, settings):
    bundle = Bundle.load(train_bundle(dataset, tmp_path / "bundle", replace(RUN, family=family), settings))
    assert bundle.family == family
    assert bundle.spec["data"]["episodes"] == 12
    for phase, values in settings.items():
        assert bundle.spec["data"]["training"][family][phase]["batch"] == values["batch"]
    actions = np.zeros((3, bundle.horizon, 2), np.float32)
    out = bundle.run("rollout", latent=bundle.initial_mean[None, None], actions=actions)
    assert out["readout"].shape == (bundle.ensemble, 3, bundle.horizon, 4)
    # Equal actions from one belief give equal futures within a member.
    assert np.allclose(out["readout"][:, 0], out["readout"][:, 2])


@pytest.mark.parametrize("family", ["grounded", "rssm"])
def test_data_of_shorter_steps_give_a_bundle_of_shorter_steps(dataset, tmp_path, family):
    task = load_task("push_20hz")
    fast = replace(dataset, step_duration=task.step_duration, action_spec=task.action)
    settings = {**OTHERS, "sequences": {**OTHERS["sequences"], "burn_in": 5}}
    bundle = Bundle.load(train_bundle(fast, tmp_path / "bundle", replace(RUN, family=family), settings))
    check_fit(task, bundle)
    assert (bundle.step_duration, bundle.horizon) == (0.05, 24)  # as far ahead
    chosen = bundle.spec["data"]["training"][family]
    assert chosen["sequences"]["horizon"] == 20 and chosen["sequences"]["burn_in"] == 5  # as long, unless set
    assert load_model(tmp_path / "bundle").sizes.horizon == 24
    with pytest.raises(SettingError, match="expected steps of 0.05 s, got 0.1 s; build it again from its bags"):
        finetune(tmp_path / "bundle", dataset, tmp_path / "tuned", FinetuneSettings())


@pytest.mark.parametrize("family", FAMILIES)
def test_what_takes_time_takes_as_long_in_shorter_steps(family):
    config = FAMILIES[family].config()
    assert in_steps_of(config, 0.1) == config
    fast = in_steps_of(config, 0.05)
    assert fast.images.horizon == 2 * config.images.horizon and fast.images.steps == config.images.steps
    assert (fast.sequences.burn_in, fast.sequences.horizon) == (12, 20)
    if family == "tdmpc":
        assert fast.values.discount**2 == pytest.approx(config.values.discount)


class KilledError(Exception):
    """What a test does to a training."""


@pytest.mark.parametrize("fatal_step", [2, 5])  # in the first phase, in the second
def test_a_killed_training_goes_on_to_the_same_result(dataset, tmp_path, fatal_step):
    training, held_out = split(dataset, RUN)
    whole = model_of(TINY)
    Trainer(whole, tmp_path / "whole", seed=0).run(phases(whole, dataset, training, held_out))

    killed = model_of(TINY)
    trainer = Trainer(killed, tmp_path / "killed", seed=0, checkpoint_s=0)
    steps, update = 0, trainer._update

    def dies(*args):
        nonlocal steps
        if steps == fatal_step:
            raise KilledError
        steps += 1
        update(*args)

    trainer._update = dies
    with pytest.raises(KilledError):
        trainer.run(phases(killed, dataset, training, held_out))

    again = model_of(TINY)
    Trainer(again, tmp_path / "killed", seed=0).run(phases(again, dataset, training, held_out))
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_a_run_does_not_go_on_with_other_settings(dataset, tmp_path):
    train_bundle(dataset, tmp_path / "bundle", RUN, TINY)
    with pytest.raises(SettingError, match="another grounded"):
        train_bundle(dataset, tmp_path / "bundle", RUN, {**TINY, "code": 6})


def test_an_unknown_family_is_refused_by_name(dataset, tmp_path):
    with pytest.raises(SettingError, match="got 'oracle'"):
        train_bundle(dataset, tmp_path / "bundle", RunSettings(family="oracle"))


def test_split_keeps_episodes_whole_and_apart(dataset):
    training, validation = split(dataset, RUN)
    assert not set(training) & set(validation)
    assert sorted([*training, *validation]) == list(range(12))


def test_windows_never_cross_episodes(dataset):
    starts = dataset.windows(10)
    assert (dataset.episode[starts] == dataset.episode[starts + 9]).all()
    assert len(starts) == 12 * (40 - 9)


def test_a_subset_keeps_whole_episodes(dataset):
    part = dataset.subset(np.array([2, 5]))
    assert sorted(set(part.episode)) == [2, 5]
    assert len(part.bev) == len(part.action) == 80
    assert np.array_equal(part.objects[40:], dataset.objects[dataset.episode == 5])
