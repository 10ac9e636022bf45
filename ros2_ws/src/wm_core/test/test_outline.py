"""Distances, normals and spans of outlines, on shapes whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.outline import area, distance, inside, normals, span, turned
from wm_core.solid import Solid

BOX = Solid.box((0.08, 0.04, 0.05)).outline
PLACE = st.floats(-0.1, 0.1)


@given(PLACE, PLACE)
def test_the_distance_from_a_box_is_that_of_a_box(x, y):
    beyond = np.abs([x, y]) - [0.04, 0.02]
    true = np.linalg.norm(np.maximum(beyond, 0)) + min(max(beyond), 0)
    assert distance(np.array([x, y]), BOX) == pytest.approx(true, abs=0.0025)  # its corners are cut


def test_points_and_normals_of_a_box():
    assert inside(np.array([[0.0, 0.0], [0.05, 0.0]]), BOX).tolist() == [True, False]
    middle = np.argmin(np.linalg.norm(BOX - [0.04, 0.0], axis=1))
    np.testing.assert_allclose(normals(BOX)[middle], [1, 0], atol=0.05)
    assert area(BOX) == pytest.approx(0.0032, rel=0.02)


def test_a_line_through_a_box_enters_and_leaves_it():
    assert span(BOX, np.array([0.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx((-0.02, 0.02), abs=1e-3)
    assert span(BOX, np.array([0.06, 0.0]), np.array([0.0, 1.0])) is None
    quarter = turned(BOX, np.pi / 2)
    assert span(quarter, np.array([0.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx((-0.04, 0.04), abs=2e-3)
