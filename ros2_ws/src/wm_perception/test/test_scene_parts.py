"""Objects that touch or lie on each other are taken apart, and known for what they are."""

import numpy as np
import pytest
from scene_pictures import BOX, surface

from wm_core.solid import Solid
from wm_perception.scene.eye import SceneEye
from wm_perception.scene.parts import FAR, HIGH, PartsModel, grouped, merged, network_input
from wm_perception.scene.shapes import shapes_of
from wm_perception.scene.surface import CELL, Surface

AWAY = np.array([0.0, 0.0, 0.3, 0.0, 0.0, 0.0])  # a hand that touches nothing
SLAB = Solid.box((0.12, 0.10, 0.03))


class Knowing:
    """In a network's place: votes for the nearest of some tops (n, 3) [m], in a map that begins at `lower`."""

    def __init__(self, tops, lower) -> None:
        self._tops, self._lower = np.asarray(tops, float), lower

    def run(self, names, inputs):
        height = inputs["map"][0, 0] * HIGH
        corner = self._corner
        places = self._lower + CELL * (np.moveaxis(np.indices(height.shape), 0, -1) + corner + 0.5)
        points = np.concatenate([places, height[..., None]], -1)
        off = self._tops - points[..., None, :]
        nearest = np.linalg.norm(off * [1, 1, 3], axis=-1).argmin(-1)
        votes = np.take_along_axis(off, nearest[..., None, None], -2)[..., 0, :]
        return [np.concatenate([votes / FAR, np.full((*height.shape, 1), -3.0)], -1).transpose(2, 0, 1)[None]]


def test_votes_that_agree_are_one_object_and_strays_go_to_the_nearest():
    rng = np.random.default_rng(0)
    middles = np.array([[0.4, 0.0, 0.05], [0.45, 0.0, 0.05], [0.4, 0.0, 0.1]])
    points = np.repeat(middles, 60, 0) + rng.normal(0, 0.003, (180, 3))
    points[::40] += [0.02, 0.01, 0.0]
    labels = grouped(points, np.ones(180))
    assert labels.max() == 2
    for first in (0, 60, 120):
        assert len(set(labels[first + 1 : first + 40])) == 1


def test_one_object_stays_one():
    points = np.random.default_rng(1).normal([0.4, 0.0, 0.05], 0.003, (200, 3))
    assert grouped(points, np.ones(200)).max() == 0


def test_votes_that_are_unsure_do_not_split_an_object():
    rng, labels = np.random.default_rng(2), np.repeat([0, 1], 80)
    points = np.repeat([[0.4, 0.0, 0.05], [0.43, 0.0, 0.05]], 80, 0) + rng.normal(0, 0.002, (160, 3))
    assert merged(points, np.full(160, 0.002), labels).max() == 1
    assert merged(points, np.where(labels == 1, 0.012, 0.002), labels).max() == 0


def test_what_lies_on_another_has_a_height_of_its_own():
    below, above = surface((SLAB, 0.45, 0.0, 0.2)), surface((BOX, 0.46, 0.01, 0.0))
    height = np.where(above.occupied, 0.03 + above.height, below.height)
    both = Surface(below.lower, height, below.seen, below.colour)
    parts = [below.occupied & ~above.occupied, above.occupied]
    lower, upper = shapes_of(both, parts)
    assert lower.height == pytest.approx(0.03, abs=2e-3) and upper.height == pytest.approx(BOX.size[2], abs=2e-3)
    assert lower.cells.sum() == pytest.approx(below.occupied.sum(), rel=0.05) and not lower.whole and upper.whole


def test_a_taller_neighbour_hides_nothing():
    box, tall = surface((BOX, 0.42, 0.0, 0.0)), surface((Solid.box((0.05, 0.05, 0.15)), 0.42, 0.06, 0.0))
    both = Surface(box.lower, np.maximum(box.height, tall.height), box.seen, box.colour)
    first, second = shapes_of(both, [box.occupied & ~tall.occupied, tall.occupied])
    assert first.cells.sum() == (box.occupied & ~tall.occupied).sum() and second.height == pytest.approx(0.15, abs=2e-3)


def test_touching_objects_are_two_from_the_first_look():
    one, other = Solid.box((0.05, 0.05, 0.05)), Solid.box((0.05, 0.06, 0.05))
    seen = surface((one, 0.45, -0.026, 0.0), (other, 0.45, 0.03, 0.0))
    assert SceneEye().look(seen, AWAY).slots == 1
    session = Knowing([[0.45, -0.026, 0.05], [0.45, 0.03, 0.05]], seen.lower)
    index = np.argwhere(seen.occupied)
    session._corner = np.maximum(index.min(0) - 4, 0)
    found = SceneEye(PartsModel(session)).look(seen, AWAY)
    assert found.slots == 2
    order = np.argsort(found.position[:, 1])
    np.testing.assert_allclose(found.position[order, 1], [-0.026, 0.03], atol=0.004)


def test_the_network_is_given_heights_colours_and_what_was_seen():
    height, colour, seen = np.full((4, 6), 0.05), np.full((3, 4, 6), 0.5), np.ones((4, 6), bool)
    made = network_input(height, colour, seen)
    assert made.shape == (5, 4, 6) and made.dtype == np.float32
    np.testing.assert_allclose(made[:, 0, 0], [0.05 / HIGH, 0.5, 0.5, 0.5, 1.0])
