"""Objects seen by depth: where they are, how they are turned, and that each keeps its name."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_pictures import BOX, TEE, surface
from scipy.ndimage import binary_erosion

from wm_core.outline import area, distance, turned
from wm_core.rotations import wrapped
from wm_core.solid import Solid
from wm_perception.scene.eye import GONE, LOOKS, SHARP, SceneEye
from wm_perception.scene.surface import Surface
from wm_perception.scene.template import fitted, seen_template

AWAY = np.array([0.0, 0.0, 0.3, 0.0, 0.0, 0.0])  # a hand that touches nothing


def near(x: float, y: float) -> np.ndarray:
    """A hand beside a place."""
    return np.array([x - 0.06, y, 0.02, 0.0, 0.0, 0.0])


def test_an_outline_is_that_of_the_object():
    seen = surface((TEE, 0.45, 0.0, 0.0))
    template, origin = seen_template(seen, seen.occupied, 0.04)
    assert area(template.outline) == pytest.approx(area(TEE.outline), rel=0.06)
    np.testing.assert_allclose(origin, [0.45, 0.0, 0.0], atol=0.004)
    np.testing.assert_allclose(np.ptp(template.outline, axis=0), TEE.size[:2], atol=0.006)


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.012, 0.012), st.floats(-0.012, 0.012), st.floats(-0.25, 0.25))
def test_an_outline_is_laid_over_what_is_seen(dx, dy, turn):
    first = surface((TEE, 0.45, 0.0, 0.4))
    template, origin = seen_template(first, first.occupied, 0.04)
    again = surface((TEE, 0.45 + dx, dy, 0.4 + turn))
    cells = again.places(np.argwhere(again.occupied))
    pose = fitted(template, again, again.occupied.astype(float), cells, origin)
    about = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    np.testing.assert_allclose(pose[:2], about @ (origin[:2] - [0.45, 0.0]) + [0.45 + dx, dy], atol=0.002)
    assert abs(wrapped(pose[2] - turn)) < np.radians(2.5)


def test_objects_keep_their_names_while_they_are_pushed():
    eye = SceneEye()
    first = eye.look(surface((BOX, 0.4, 0.0, 0.0), (TEE, 0.5, 0.15, 0.3)), AWAY)
    names = dict(zip(first.identities, first.position[:, :2].tolist(), strict=True))
    box = min(names, key=lambda name: abs(names[name][1]))
    for step in range(1, 8):
        at = 0.4 + 0.015 * step, 0.0
        seen = eye.look(surface((BOX, *at, 0.1 * step), (TEE, 0.5, 0.15, 0.3)), near(*at))
    assert seen.identities == first.identities
    slot = seen.slot(box)
    np.testing.assert_allclose(seen.position[slot, :2], [0.505, 0.0], atol=0.004)
    assert abs(wrapped(seen.yaw[slot] - 0.7)) < np.radians(4)


def test_an_object_that_is_pushed_against_another_stays_itself():
    eye = SceneEye()
    first = eye.look(surface((BOX, 0.38, 0.0, 0.0), (BOX, 0.48, 0.0, 0.0)), AWAY)
    assert first.slots == 2
    for x in np.linspace(0.38, 0.43, 6):  # until they touch
        seen = eye.look(surface((BOX, x, 0.0, 0.0), (BOX, 0.48, 0.0, 0.0)), near(x, 0.0))
    order = np.argsort(first.position[:, 0])
    np.testing.assert_allclose(seen.position[order, 0], [0.43, 0.48], atol=0.005)


def test_what_nobody_looks_at_is_hidden_and_what_is_empty_is_gone():
    eye = SceneEye()
    eye.look(surface((BOX, 0.4, 0.0, 0.0)), AWAY)
    hidden = eye.look(surface((BOX, 0.4, 0.0, 0.0), hidden=(0.4, 0.0, 0.1)), AWAY)
    assert np.isnan(hidden.position).all() and hidden.presence[0] == 1.0
    for _ in range(GONE):
        empty = eye.look(surface(), AWAY)
    assert np.isnan(empty.position).all() and empty.presence[0] == 0.0


def test_what_was_put_elsewhere_unseen_is_found_again():
    eye = SceneEye()
    first = eye.look(surface((TEE, 0.4, -0.1, 0.0)), AWAY)
    for _ in range(8):
        seen = eye.look(surface((TEE, 0.55, 0.15, 2.0)), AWAY)
    assert seen.identities == first.identities
    np.testing.assert_allclose(seen.position[0, :2] - [0.55, 0.15], [0, 0], atol=0.006)
    assert abs(wrapped(seen.yaw[0] - first.yaw[0] - 2.0)) < np.radians(4)


def test_something_new_is_an_object_after_some_looks():
    eye = SceneEye()
    eye.look(surface((BOX, 0.4, 0.0, 0.0)), AWAY)
    slots = [eye.look(surface((BOX, 0.4, 0.0, 0.0), (TEE, 0.5, 0.15, 0.0)), AWAY).slots for _ in range(LOOKS)]
    assert slots == [1] * (LOOKS - 1) + [2]


def test_a_shape_that_was_half_hidden_is_completed():
    eye = SceneEye()
    half = eye.look(surface((TEE, 0.45, 0.0, 0.0), hidden=(0.52, 0.05, 0.05)), AWAY)
    whole = eye.look(surface((TEE, 0.45, 0.0, 0.0)), AWAY)
    sizes = [area(each.shape[0].reshape(-1, 2)) for each in (half, whole)]
    assert sizes[0] < 0.93 * area(TEE.outline) and sizes[1] == pytest.approx(area(TEE.outline), rel=0.06)


def test_what_stands_on_another_hides_it():
    eye = SceneEye()
    names = eye.look(surface((BOX, 0.4, 0.0, 0.0), (TEE, 0.5, 0.15, 0.3)), AWAY).identities
    lower = min(range(2), key=lambda slot: abs(eye.objects[slot].pose[1]))
    there = {names[1 - lower]: np.array([0.4, 0.0, 0.0, 0.09])}  # lifted onto the box, as is believed
    stacked = surface((BOX, 0.4, 0.0, 0.0))
    over = surface((TEE, 0.4, 0.0, 0.0)).occupied
    stacked.height[over] = 0.09
    seen = eye.look(stacked, near(0.4, 0.0), there)
    assert seen.identities == names and seen.presence.tolist() == [1.0, 1.0]
    upper = seen.position[1 - lower]
    np.testing.assert_allclose(upper, [0.4, 0.0, 0.07], atol=0.008)


def test_a_box_is_known_by_its_walls_and_what_lies_in_it_by_itself():
    walls = [(0.16, 0.01, 0.0, 0.075), (0.16, 0.01, 0.0, -0.075), (0.01, 0.16, 0.075, 0.0), (0.01, 0.16, -0.075, 0.0)]
    crate = surface(*((Solid.box((dx, dy, 0.05)), 0.45 + x, y, 0.0) for dx, dy, x, y in walls), (BOX, 0.45, 0.25, 0.0))
    eye = SceneEye()
    first = eye.look(crate, AWAY)
    assert first.slots == 2
    box = int(np.argmax(first.position[:, 1]))
    inside = surface(*((Solid.box((dx, dy, 0.05)), 0.45 + x, y, 0.0) for dx, dy, x, y in walls), (BOX, 0.45, 0.0, 0.0))
    seen = eye.look(inside, AWAY, {first.identities[box]: np.array([0.45, 0.0, 0.0, 0.05])})
    np.testing.assert_allclose(seen.position[:, :2], [[0.45, 0.0]] * 2, atol=0.005)


def test_the_outline_of_what_rests_is_that_of_many_looks():
    rng, exact = np.random.default_rng(0), surface((BOX, 0.45, 0.0, 0.4))

    def noisy() -> Surface:
        """Cells at the edge come and go."""
        lost = exact.occupied & (rng.random(exact.height.shape) < 0.3)
        lost &= ~binary_erosion(exact.occupied)
        return replace(exact, height=np.where(lost, 0.0, exact.height))

    def seen(eye: SceneEye) -> np.ndarray:
        """The outline on the table."""
        template, pose = eye.objects[0].template, eye.objects[0].pose
        return turned(template.outline, float(pose[2])) + pose[:2]

    def looked(times: int) -> np.ndarray:
        eye = SceneEye()
        for _ in range(times):
            eye.look(noisy(), AWAY)
        return seen(eye)

    def apart(times: int) -> float:
        """How far outlines of the same object are from each other [m], each of so many looks."""
        return float(np.mean([np.abs(distance(looked(times), looked(times))).mean() for _ in range(3)]))

    assert apart(SHARP) < 0.6 * apart(1)
