"""Specifications: actions by named axes, what they do to a tool, and files that say nonsense are refused by name."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wm_core.specs import ActionSpec, SpecError
from wm_core.specs_schema import AXES

PUSH = ActionSpec({"x": 0.03, "y": 0.03}, (("x", "y"),), {"z": 0.027})
GRASP = ActionSpec({"x": 0.02, "y": 0.02, "z": 0.02, "yaw": 0.1, "grip": 0.01}, (("x", "y", "z"),))

scales = st.dictionaries(st.sampled_from(AXES), st.floats(1e-3, 1.0), min_size=1)


@st.composite
def action_specs(draw):
    scale = draw(scales)
    used = draw(st.permutations([axis for axis in AXES if axis in scale]))
    size = draw(st.integers(2, len(used))) if len(used) > 1 else 0
    held = {axis: draw(st.floats(-1, 1)) for axis in AXES if axis not in scale and draw(st.booleans())}
    return ActionSpec(scale, (tuple(used[:size]),) if size else (), held)


def actions_of(spec, low=-1.0, high=1.0):
    return arrays.arrays(np.float64, (3, spec.size), elements=st.floats(low, high))


def test_an_action_moves_the_tool_along_its_axes():
    np.testing.assert_array_equal(PUSH.to_displacement(np.array([1.0, -0.5])), [0.03, -0.015, 0, 0, 0, 0])
    np.testing.assert_allclose(GRASP.to_displacement(np.array([0, 0, 1, 0.5, -1])), [0, 0, 0.02, 0.05, 0, -0.01])
    assert (PUSH.size, PUSH.axes, GRASP.index("grip")) == (2, ("x", "y"), 4)


def test_an_axis_that_is_not_in_use_is_held():
    assert PUSH.held == {"z": 0.027, "yaw": 0.0, "pitch": 0.0, "grip": 0.0}
    np.testing.assert_array_equal(PUSH.tool_state(np.array([[0.5, 0.1]])), [[0.5, 0.1, 0.027, 0, 0, 0]])


def test_actions_keep_their_dtype_and_are_scaled_as_by_a_plain_number():
    actions = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype(np.float32)
    moved = PUSH.to_displacement(actions)
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved[:, :2], 0.03 * actions)


def test_groups_are_shortened_and_other_axes_clipped():
    clipped = GRASP.clip(np.array([3.0, 0.0, 4.0, 2.0, 0.5]))
    np.testing.assert_allclose(clipped, [0.6, 0.0, 0.8, 1.0, 0.5], rtol=1e-6)
    assert clipped.dtype == np.float32


@given(action_specs())
def test_a_specification_survives_a_file(spec):
    again = ActionSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict())))
    assert again.to_dict() == spec.to_dict()
    assert again.mismatch(spec) is None
    assert again.axes == tuple(axis for axis in AXES if axis in spec.scale)


@given(st.data(), action_specs())
def test_displacement_and_action_are_one_another(data, spec):
    actions = data.draw(actions_of(spec))
    moved = spec.to_displacement(actions)
    np.testing.assert_allclose(spec.from_displacement(moved), actions, atol=1e-12)
    assert not moved[:, [AXES.index(axis) for axis in spec.held]].any()


@given(st.data(), action_specs())
def test_clipped_actions_are_allowed_and_stay_as_they_are(data, spec):
    clipped = spec.clip(data.draw(actions_of(spec, -100, 100)))
    assert (np.abs(clipped) <= 1 + 1e-6).all()
    for group in spec.groups:
        assert (np.linalg.norm(clipped[:, [spec.index(axis) for axis in group]], axis=1) <= 1 + 1e-6).all()
    np.testing.assert_allclose(spec.clip(clipped), clipped, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": {}}, r"action\.axes: .*non-empty|action\.axes: .*enough properties"),
        ({"axes": {"roll": {"scale": 1, "unit": "rad"}}}, "roll"),
        ({"axes": {"x": {"scale": -1, "unit": "m"}}}, r"action\.axes\.x\.scale"),
        ({"axes": {"yaw": {"scale": 10, "unit": "deg"}}}, r"action\.axes\.yaw\.unit: 'rad' was expected"),
        ({"groups": [["x", "z"]]}, r"action\.groups: expected axes in use"),
        ({"groups": [["x", "y"], ["y", "x"]]}, r"action\.groups: expected each axis in one group"),
        ({"held": {"x": 0.0}}, r"action\.held: expected axes that are not in use"),
        ({"colour": 1}, "colour"),
    ],
)
def test_nonsense_is_refused_by_name(change, message):
    with pytest.raises(SpecError, match=message):
        ActionSpec.from_dict({**PUSH.to_dict(), "held": {}, **change})


def test_what_does_not_fit_is_said():
    other = ActionSpec({"x": 0.02, "y": 0.03}, (("x", "y"),), {"z": 0.027})
    assert "expected action.axes {'x': {'scale': 0.03" in PUSH.mismatch(other)
    with pytest.raises(SpecError, match=r"expected actions \(\.\.\., 2\)"):
        PUSH.clip(np.zeros(3))
    with pytest.raises(SpecError, match="expected an axis out of"):
        PUSH.index("z")
