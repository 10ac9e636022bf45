"""Calibrated intervals: multipliers by horizon and class over the imagined spread."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.bundle import Bundle, BundleError
from wm_core.futures import Futures
from wm_core.specs import ActionSpec, StateSpec
from wm_dynamics.calibration import Calibration

BLOCK = {
    "levels": [0.5, 0.9],
    "steps": [1, 3],
    "moved": 0.005,
    "floor": 1e-6,
    "still": [[0.5, 1.0], [0.5, 3.0]],
    "moving": [[1.0, 2.0], [1.0, 4.0]],
}


def futures(end: float, std: float = 0.01) -> Futures:
    """One branch of four steps, from the origin to x = `end` [m] at once, of two members that agree."""
    place = np.tile(np.array([end, 0.0]), (2, 1, 4, 1))
    state, action = StateSpec(1, ("x", "y"), ("x", "y"), 0), ActionSpec({"x": 0.03, "y": 0.03})
    readout = np.concatenate([place, place], -1)
    return Futures(state, action, readout, np.full_like(place, std**2), {}, np.zeros((1, 4)))


def test_an_interval_is_a_multiple_of_the_predicted_deviation():
    calibration = Calibration.parse(BLOCK)
    # Between calibrated horizons the multipliers are interpolated, after the last they stay.
    np.testing.assert_allclose(calibration.half_width(futures(0.0))[0, :, 0], [0.01, 0.02, 0.03, 0.03], rtol=1e-6)
    np.testing.assert_allclose(calibration.half_width(futures(0.1))[0, :, 1], [0.02, 0.03, 0.04, 0.04], rtol=1e-6)
    np.testing.assert_allclose(calibration.half_width(futures(0.1), 0.5)[0, :, 1], 0.01, rtol=1e-6)


def test_the_intervals_of_jumps_are_those_of_the_steps_they_end_at():
    calibration = Calibration.parse(BLOCK)
    by_steps = calibration.half_width(futures(0.1))
    jumps = calibration.half_width(replace(futures(0.1), ends=np.array([2, 4, 6, 8])))
    np.testing.assert_allclose(jumps, by_steps[:, [1, 3, 3, 3]])


def test_jumps_have_a_calibration_of_their_own(bundle: Bundle):
    spec = {**bundle.spec, "macro": {"steps": 2, "jumps": 6, "calibration": {**BLOCK, "moved": 0.5}}}
    both = replace(bundle, spec=spec)
    assert Calibration.of(both, macro=True).moved == 0.5
    spec["macro"]["calibration"]["still"] = [[1.0, 1.0]]
    with pytest.raises(BundleError, match=r"macro\.calibration: "):
        Calibration.of(both, macro=True)


def test_it_survives_the_file():
    assert Calibration.parse(Calibration.parse(BLOCK).block()).block() == BLOCK


def test_a_level_that_was_not_calibrated_is_refused():
    with pytest.raises(ValueError, match=r"out of \[0.5, 0.9\], got 0.99"):
        Calibration.parse(BLOCK).half_width(futures(0.0), 0.99)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"still": [[1.0, 1.0]]}, "multipliers|inhomogeneous"),
        ({"moving": [[1.0, 2.0], [1.0, float("nan")]]}, "finite"),
        ({"moving": [[1.0, 2.0], [-1.0, 2.0]]}, "positive"),
        ({"steps": [3, 1]}, "increasing"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_file(bundle: Bundle, change: dict, message: str):
    spec = {**bundle.spec, "calibration": {**BLOCK, **change}}
    wrong = replace(bundle, spec=spec)
    with pytest.raises(BundleError, match=rf"bundle\.yaml: calibration: .*({message}).*wm calibrate"):
        Calibration.of(wrong)


def test_a_bundle_without_the_block_has_none(bundle: Bundle):
    spec = {key: value for key, value in bundle.spec.items() if key != "calibration"}
    assert Calibration.of(replace(bundle, spec=spec)) is None
