"""Cameras whose poses are a little wrong see a table that is level, after some looks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from wm_perception.scene.level import TableLevel

MIDDLE = np.array([0.5, 0.0])


def table(rng: np.random.Generator, noise: float = 0.002) -> np.ndarray:
    """Points (n, 3) of a table with a box on it."""
    points = np.column_stack(
        [rng.uniform(0.25, 0.75, 4000), rng.uniform(-0.35, 0.35, 4000), rng.normal(0, noise, 4000)]
    )
    points[:400, :2] = [0.55, 0.1] + rng.uniform(-0.04, 0.04, (400, 2))
    points[:400, 2] += 0.03
    return points


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.008, 0.008), st.floats(-0.015, 0.015), st.floats(-0.015, 0.015))
def test_a_tilted_table_is_level_afterwards(lift, roll, pitch):
    rng, level = np.random.default_rng(0), TableLevel(MIDDLE)
    wrong = Rotation.from_euler("xy", [roll, pitch])
    for _ in range(5):
        seen = wrong.apply(table(rng) - [*MIDDLE, 0.0]) + [*MIDDLE, lift]
        level.add(seen)
    right = seen @ level.correction[:3, :3].T + level.correction[:3, 3]
    of_table = right[400:]
    assert abs(np.median(of_table[:, 2])) < 0.0006
    slopes = np.linalg.lstsq(np.column_stack([np.ones(len(of_table)), of_table[:, :2]]), of_table[:, 2], rcond=None)[0]
    assert np.abs(slopes[1:]).max() < 0.002


def test_without_a_table_nothing_is_put_right():
    level = TableLevel(MIDDLE)
    level.add(np.array([[0.5, 0.0, 0.1]] * 1000))
    np.testing.assert_array_equal(level.correction, np.eye(4))
