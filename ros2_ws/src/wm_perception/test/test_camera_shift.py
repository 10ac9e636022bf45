"""Cameras that are a little beside where the rig has them come to see objects at one place."""

import numpy as np
import pytest
from scene_pictures import BOX, TEE, surface

from wm_perception.scene.shift import CameraShifts
from wm_perception.scene.surface import CELL


def seen(x: float, y: float) -> np.ndarray:
    """Heights as a camera sees them that is off by x, y [m]."""
    return surface((BOX, 0.42 + x, 0.05 + y, 0.3), (TEE, 0.55 + x, -0.12 + y, 1.0)).height


def test_two_cameras_meet_in_the_middle():
    shifts = CameraShifts(["left", "right"])
    for _ in range(8):
        (lx, ly), (rx, ry) = shifts.shifts.values()
        shifts.add({"left": seen(0.004 + lx, -0.003 + ly), "right": seen(-0.004 + rx, 0.002 + ry)}, CELL)
    apart = (np.array([0.004, -0.003]) + shifts.shifts["left"]) - (np.array([-0.004, 0.002]) + shifts.shifts["right"])
    np.testing.assert_allclose(apart, 0.0, atol=0.0012)
    np.testing.assert_allclose(sum(shifts.shifts.values()), 0.0, atol=1e-9)


@pytest.mark.parametrize("second", [np.full_like(seen(0, 0), np.nan), seen(0.05, 0.0)])
def test_what_only_one_of_them_sees_moves_none(second):
    shifts = CameraShifts(["left", "right"])
    shifts.add({"left": seen(0.0, 0.0), "right": second}, CELL)
    assert all((shift == 0).all() for shift in shifts.shifts.values())
