"""Friction and mass of an object, inferred from how it is pushed."""

import numpy as np
import pytest
from scene_of_one import scene

from wm_core.paths import bundles_dir
from wm_core.scene_bundle import SceneBundle
from wm_dynamics.scene_adaptation import GRID, WINDOW, SceneAdaptation
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneModel

TABLE = np.array([-0.1, -0.7, 1.1, 0.7])
PUSH = np.array([0.012, 0.0, 0.0, 0.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def model():
    return SceneModel(SceneBundle.load(bundles_dir() / "scene"), TABLE)


def inferred(model, code):
    """The code (2,) of an object that moves as the model says of one with `code`, pushed off its middle so that it turns."""
    adaptation = SceneAdaptation(model)
    belief = SceneBelief.of(scene([0.5, 0.0, 0.025]))
    tool = np.array([0.455, 0.012, 0.02, 0.0, 0.0, 0.0])
    codes = np.broadcast_to(np.asarray(code, float), (1, 1, 2))
    path = model.with_codes(belief, tool, np.tile(PUSH, (WINDOW, 1)), np.zeros(6), codes)[0]
    for step in range(WINDOW + 1):
        state = belief.state if step == 0 else path[step - 1]
        found = adaptation.update(belief.at(np.asarray(state, float)), tool + step * PUSH, PUSH, PUSH * (step > 0))
    return found[0]


def test_nothing_is_known_of_what_was_not_moved(model):
    adaptation, belief = SceneAdaptation(model), SceneBelief.of(scene([0.5, 0.0, 0.025]))
    for _ in range(3 * WINDOW):
        found = adaptation.update(belief, np.zeros(6), np.zeros(6), np.zeros(6))
    np.testing.assert_allclose(found, 0.0, atol=0.2)


def test_what_explains_the_motion_best_is_taken(model):
    """What slips and what sticks move differently, as the model says."""
    slippery, rough = GRID[GRID[:, 0].argmin()], GRID[GRID[:, 0].argmax()]
    assert inferred(model, slippery)[0] <= inferred(model, rough)[0]
