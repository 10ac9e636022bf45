"""Novelty: what looks and moves as usual is not new; what changes, is gone or moves otherwise is, and it says why."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.bundle import BundleError
from wm_dynamics.novelty import SIGNALS, Accumulator, Normal, NoveltyDetector, Reference, slip_of

FEATURES = 4


@pytest.fixture
def reference() -> Reference:
    """Two kinds of objects, at 0 and at 1 in all features; averages are off by 0.1, single steps by 0.2."""
    centres = np.stack([np.zeros(FEATURES), np.ones(FEATURES)])
    looks, changes = (np.eye(FEATURES) / deviation**2 for deviation in (0.1, 0.2))
    usual = {"prediction": 0.3, "motion": 0.3, "slip": 0.1, "appearance": 2.0, "change": 2.0, "unseen": 0.0}
    limit = {"prediction": 1.5, "motion": 1.0, "slip": 0.8, "appearance": 4.0, "change": 4.0, "unseen": 0.1}
    return Reference(Normal(centres, looks), Normal(np.zeros((1, FEATURES)), changes), usual, limit)


@pytest.fixture
def detector(bundle, reference) -> NoveltyDetector:
    small = replace(
        bundle,
        spec={
            **bundle.spec,
            "novelty": reference.block(),
        },
        observation=replace(bundle.observation, features=FEATURES),
    )
    return NoveltyDetector(small)


def embedding(looks: float) -> np.ndarray:
    """Of an object at the same place that looks like `looks` in all features."""
    return np.array([0.5, 0.0, -12.0, -12.0, 8.0, *[looks] * FEATURES])


def watch(detector, steps, looks=0.0, visibility=1.0, error=0.3, slip=0.0):
    """The last of some equal updates."""
    for _ in range(steps):
        found = detector.update(embedding(looks), visibility, error, slip, 0.0)
    return found


@pytest.mark.parametrize("looks", [0.0, 1.0])
def test_what_is_known_is_not_new(detector, looks):
    assert watch(detector, 30, looks).value < 0.2


def test_an_object_unlike_all_known_ones_is_new(detector):
    found = watch(detector, 30, 0.5)
    assert found.value > 1 and found.cause == "appearance"


def test_an_object_that_turns_into_another_known_one_is_new(detector):
    watch(detector, 30, 0.0)
    found = watch(detector, 3, 1.0)
    assert found.value > 1 and found.cause == "change"
    assert watch(detector, 100, 1.0).value < 1, "after some seconds it is what it is"


def test_an_object_that_is_gone_is_new(detector):
    watch(detector, 10)
    found = watch(detector, 3, looks=9.0, visibility=0.0)  # what a blind encoder says of its looks does not count
    assert found.value > 1 and found.cause == "unseen"


def test_one_large_error_shows_at_once_and_small_ones_add_up(detector):
    watch(detector, 30)
    assert watch(detector, 1, error=1000.0).cause == "prediction"
    detector.reset()
    assert watch(detector, 60, error=2.5).cause == "motion"


def test_small_errors_to_one_side_add_up(detector):
    for side in (1.2, -1.2):
        assert watch(detector, 15, slip=side).cause == "slip"
        detector.reset()
    for side in (1.2, -1.2) * 15:
        found = watch(detector, 1, slip=side)
    assert found.value < 1


def test_slip_is_the_error_along_the_motion():
    before, predicted = np.array([0.5, 0.0]), np.array([0.51, 0.0])
    assert slip_of(before, predicted, np.array([0.52, 0.0]), 4.0) == pytest.approx(2.0)
    assert slip_of(before, predicted, np.array([0.505, 0.0]), 4.0) == pytest.approx(-2.0)
    assert slip_of(before, predicted, np.array([0.51, 0.01]), 4.0) == pytest.approx(0.0)
    assert np.isnan(slip_of(before, before, before, 0.1))


def test_the_first_steps_say_nothing(detector):
    assert watch(detector, 3, 0.5, error=100.0).value == 0


def test_without_a_reference_there_is_the_surprise(bundle):
    plain = replace(bundle, spec={key: value for key, value in bundle.spec.items() if key != "novelty"})
    found = NoveltyDetector(plain).update(embedding(0.0), 1.0, 0.3, 0.0, 1.7)
    assert (found.value, found.cause) == (1.7, "prediction")


def test_a_reference_survives_the_bundle(reference):
    again = Reference.parse(reference.block(), FEATURES)
    assert again.usual == reference.usual and again.limit == reference.limit
    np.testing.assert_allclose(again.appearance.precision, reference.appearance.precision, rtol=1e-4)


@pytest.mark.parametrize("broken", ["limit", "appearance"])
def test_a_reference_that_does_not_fit_is_refused(bundle, reference, broken):
    block = {**reference.block(), broken: {}}
    with pytest.raises(BundleError, match="run wm calibrate again"):
        Reference.of(replace(bundle, spec={**bundle.spec, "novelty": block}))


def test_levels_name_all_signals(bundle, reference):
    assert tuple(reference.levels(Accumulator(bundle.embedding).update(embedding(0.0), 1.0, 0.0, 0.0))) == SIGNALS
