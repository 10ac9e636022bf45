"""Calibration: intervals fitted to held-out outcomes hold as many of new ones as they say."""

import shutil

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir
from wm_dynamics.calibration import Calibration
from wm_dynamics.novelty import Reference
from wm_learning.calibration.intervals import Outcomes, calibrate, conformal_quantile, coverage, fit, fit_each


def outcomes(seed: int, count: int = 2000, steps: int = 12) -> Outcomes:
    """A model that is too sure of still objects by a factor of two, and right about moving ones."""
    rng = np.random.default_rng(seed)
    moving = rng.random((count, 1)) < 0.4
    deviation = np.full((count, steps, 2), 0.004)
    error = rng.normal(0, 0.004, deviation.shape) * np.where(moving, 1, 2)[..., None]
    far = np.where(moving, 0.05, 0.0) * np.ones(steps)
    index = np.arange(count)
    return Outcomes(error, deviation, far, far, np.zeros_like(far), np.zeros_like(error), index, index)


def test_intervals_hold_what_they_promise():
    calibration = fit(outcomes(0))
    found = coverage(calibration, outcomes(1))
    for level in ("0.5", "0.8", "0.9", "0.95"):
        for name in ("all", "predicted to move"):
            assert found[name][level]["5"] == pytest.approx(float(level), abs=0.03)
    nine = calibration.levels.index(0.9)
    np.testing.assert_allclose(calibration.multipliers[:, 0, nine], [2 * 1.645, 1.645], rtol=0.1)


def test_intervals_hold_in_each_domain_and_not_only_in_the_mixture():
    found, familiar, new = outcomes(0), np.arange(1600), np.arange(1600, 2000)
    found.error[new] *= 1.5
    mixed, each = (
        coverage(fit_each(found, groups), found.of(new))["all"]["0.9"]["5"] for groups in ((), (familiar, new))
    )
    assert mixed < 0.8
    assert each == pytest.approx(0.9, abs=0.02)
    few = np.arange(1950, 2000)
    np.testing.assert_array_equal(fit_each(found, (few,)).multipliers, fit(found).multipliers)


def test_too_few_outcomes_are_refused():
    with pytest.raises(ValueError, match="at least 100 held-out outcomes, got 60"):
        fit(outcomes(0, count=60))


@given(st.integers(1, 300), st.floats(0.05, 0.99))
def test_the_conformal_quantile_holds_at_least_its_share(count: int, level: float):
    scores = np.random.default_rng(count).random(count)
    found = conformal_quantile(scores, level)
    assert found in scores
    assert (scores <= found).mean() >= min(level, 1.0)


def test_a_bundle_is_calibrated_in_place(dataset, tmp_path):
    folder = shutil.copytree(bundles_dir() / "default", tmp_path / "bundle")
    before = yaml.safe_load((folder / "bundle.yaml").read_text())
    crossed = calibrate(folder, dataset)
    assert crossed["all"]["0.9"]["1"] == pytest.approx(0.9, abs=0.08)
    after = Bundle.load(folder)
    assert Calibration.of(after) is not None
    assert after.spec["calibration"]["data"]["episodes"] == 12
    assert Reference.of(after) is not None
    untouched = before.keys() - {"calibration", "novelty", "macro"}
    assert all(after.spec[key] == before[key] for key in untouched)
    assert after.spec["macro"]["steps"] == before["macro"]["steps"]
    assert not list(folder.glob("*.part"))


def test_what_an_older_version_fitted_is_replaced(dataset, tmp_path):
    folder = shutil.copytree(bundles_dir() / "default", tmp_path / "bundle")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    spec["novelty"]["appearance"]["centres"] = [[0.0, 0.0]]  # of fewer features
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    with pytest.raises(ValueError, match="run wm calibrate again"):
        Reference.of(Bundle.load(folder))
    calibrate(folder, dataset)
    assert Reference.of(Bundle.load(folder)) is not None


def test_too_little_data_leaves_the_bundle_as_it_was(dataset, tmp_path):
    folder = shutil.copytree(bundles_dir() / "default", tmp_path / "bundle")
    text = (folder / "bundle.yaml").read_text()
    with pytest.raises(ValueError, match="give more data"):
        calibrate(folder, dataset.subset(np.array([0, 1])))
    assert (folder / "bundle.yaml").read_text() == text
