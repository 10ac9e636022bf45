"""A macro predictor: trained for any bundle from its graphs and recorded data, exported into it, calibrated."""

import shutil

import numpy as np
import pytest
import torch

from wm_core.bundle import Bundle, BundleError
from wm_core.config import SettingError
from wm_data.beliefs import beliefs
from wm_dynamics.calibration import Calibration
from wm_dynamics.rollout import RolloutEngine
from wm_learning.calibration.intervals import calibrate_jumps
from wm_learning.macro.network import JumpDynamics, folded
from wm_learning.macro.pipeline import train_macro
from wm_learning.macro.training import MacroSettings, MacroTraining
from wm_learning.training.trainer import Trainer

TINY = MacroSettings(k=4, jumps=3, hidden=16, updates=4, batch=16, imagined=16, validate_every=2)


@pytest.fixture(scope="module")
def jumping(bare, dataset, tmp_path_factory) -> Bundle:
    return Bundle.load(train_macro(bare, dataset, tmp_path_factory.mktemp("macro") / "bundle", TINY))


def test_a_bundle_comes_out_that_also_jumps(jumping, bare):
    before = Bundle.load(bare)
    assert jumping.id.startswith(f"{before.id}-jumps4-")
    assert {name: jumping.spec["files"][name] for name in before.spec["files"]} == before.spec["files"]
    assert jumping.spec["macro"]["training"]["updates"] == 4
    futures = RolloutEngine(jumping, macro=True).rollout(jumping.initial_mean, np.zeros((5, 20, 2), np.float32))
    assert futures.object().shape == (jumping.ensemble, 5, 14, 2)
    assert list(futures.steps) == [*range(1, 13), 16, 20]


def test_its_jumps_have_intervals_of_their_own(jumping, dataset, tmp_path):
    folder = shutil.copytree(jumping.path, tmp_path / "bundle")
    crossed = calibrate_jumps(folder, dataset)
    assert crossed["all"]["0.9"]["16"] == pytest.approx(0.9, abs=0.08)
    calibrated = Bundle.load(folder)
    assert {16, 20, 24} <= set(Calibration.of(calibrated, macro=True).steps)
    assert calibrated.spec.get("calibration") == jumping.spec.get("calibration")


def test_it_learns_what_pushes_do(bare, dataset, tmp_path):
    bundle = Bundle.load(bare)
    means, variances = beliefs(bundle, dataset)
    settings = MacroSettings(hidden=48, updates=150, batch=64, imagined=64)
    torch.manual_seed(0)
    scales = torch.tensor(bundle.action.scales, dtype=torch.float32)
    model = JumpDynamics(bundle.ensemble, bundle.state.own, settings.hidden, settings.k, scales)
    course = MacroTraining(model, bundle, dataset, means, variances, settings, np.arange(10), np.arange(10, 12))
    before = course.held_out_loss()
    Trainer(model, tmp_path, seed=0).run(course.phases())
    assert course.held_out_loss() < 0.5 * before


def test_the_tool_goes_where_it_is_commanded_without_learning():
    model = JumpDynamics(members=2, state=3, hidden=8, k=4, scales=torch.tensor([0.03, 0.03]))
    for parameter in model.parameters():
        parameter.data.zero_()
    latent = torch.tensor([0.5, 0.0, 0.4, 0.0, 0.01, 0.0, 0.0, 0.0, 0.0])
    latents, variances = model.jump(latent[None, None], torch.tensor([1.0, 0.0]).expand(1, 8, 2))
    torch.testing.assert_close(latents[:, 0, :, 2], torch.tensor([[0.53, 0.65]]).expand(2, 2))
    assert (variances[:, :, 1] > variances[:, :, 0]).all()


def test_folding_changes_nothing():
    torch.manual_seed(0)
    model = JumpDynamics(members=3, state=5, hidden=16, k=3, scales=torch.tensor([0.03, 0.03]))
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)  # biases start at zero
    model.mean += 0.3
    model.spread *= 2
    latent, actions = 0.3 * torch.randn(1, 1, 11), 2 * torch.rand(5, 12, 2) - 1
    with torch.no_grad():
        latents, variances = model.jump(latent, actions)
        readout, variance, final = folded(model)(latent, actions)
    torch.testing.assert_close(readout, latents[..., 0:4], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(variance, variances, rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(final, latents[:, :, -1], rtol=1e-4, atol=1e-4)


def test_a_run_does_not_go_on_with_other_settings(bare, dataset, tmp_path):
    train_macro(bare, dataset, tmp_path / "bundle", TINY)
    with pytest.raises(SettingError, match="another batch, hidden"):
        train_macro(bare, dataset, tmp_path / "bundle", MacroSettings(k=4, hidden=17, updates=4))


def test_a_bundle_that_jumps_already_is_refused(dataset, jumping, tmp_path):
    with pytest.raises(BundleError, match="does not jump yet"):
        train_macro(jumping.path, dataset, tmp_path / "bundle", TINY)


def test_jumps_longer_than_the_episodes_are_refused(bare, dataset, tmp_path):
    with pytest.raises(ValueError, match="choose a smaller k"):
        train_macro(bare, dataset, tmp_path / "bundle", MacroSettings(k=40))
