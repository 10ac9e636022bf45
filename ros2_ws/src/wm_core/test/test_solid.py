"""Shapes of objects: sizes, centroids and outlines of boxes, cylinders and what is joined of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.rotations import rotation_of
from wm_core.solid import ANGLES, DIRECTIONS, POINTS, Solid, SolidError

LENGTH = st.floats(0.01, 0.2)


def tee() -> Solid:
    return Solid.joined([Solid.box((0.12, 0.03, 0.04)), Solid.box((0.03, 0.09, 0.04), (0, -0.06, 0))])


def test_a_box_has_the_size_volume_and_outline_of_a_box():
    box = Solid.box((0.06, 0.04, 0.05))
    assert np.allclose(box.size, [0.06, 0.04, 0.05]) and box.volume == pytest.approx(1.2e-4)
    assert box.radii[0] == pytest.approx(0.03) and box.radii[180] == pytest.approx(0.02)
    places = box.outline
    assert np.allclose(
        np.maximum(np.abs(places[:, 0]) / 0.03, np.abs(places[:, 1]) / 0.02), 1, atol=0.01
    )  # on its edges
    between = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert between.max() < 0.2 / POINTS * 1.01  # as far apart as its circumference says


def test_a_cylinder_is_round():
    disk = Solid.cylinder(0.04, 0.03)
    assert np.allclose(disk.radii, 0.04, rtol=0.01)
    assert np.allclose(np.linalg.norm(disk.outline, axis=1), 0.04, rtol=0.01)


def test_the_frame_of_a_compound_is_over_its_centroid():
    centred = tee().centred()
    assert np.allclose(centred.centroid[:2], 0, atol=1e-9)
    assert centred.lower[2] == pytest.approx(-0.02) and centred.upper[2] == pytest.approx(0.02)
    # area-weighted: the bar 36 cm^2 at 0, the stem 27 cm^2 at -6 cm
    assert centred.corners[:, 1].max() == pytest.approx(0.015 + 0.06 * 27 / 63)


def test_the_outline_of_a_compound_sees_its_notches():
    radii = tee().centred().radii
    towards_notch = radii[np.argmin(np.abs(ANGLES - np.radians(315)))]
    assert towards_notch < 0.6 * radii.max()


@given(LENGTH, LENGTH, LENGTH, st.floats(-180, 180))
def test_points_inside_the_outline_are_inside(x, y, z, yaw):
    solid = Solid.box((x, y, z)).turned(rotation_of([0, 0, yaw]))
    at = solid.radii[::20, None] * DIRECTIONS[::20]
    assert solid.inside(0.98 * at).all() and not solid.inside(1.02 * at).any()


@given(LENGTH, LENGTH, LENGTH)
def test_turning_and_moving_keep_the_volume(x, y, z):
    solid = Solid.box((x, y, z)).turned(rotation_of([20, 30, 40])).moved([0.1, 0, 0.3])
    assert solid.volume == pytest.approx(x * y * z) and np.allclose(solid.centroid, [0.1, 0, 0.3])


def test_what_is_no_body_is_refused():
    with pytest.raises(SolidError, match="at least one part"):
        Solid(())
    with pytest.raises(SolidError, match="finite corners"):
        Solid((np.full((8, 3), np.nan),))
    with pytest.raises(SolidError, match="with a volume"):
        _ = Solid((np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]]),)).volume
