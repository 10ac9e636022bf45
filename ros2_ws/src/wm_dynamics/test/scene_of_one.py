"""A scene with one box."""

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.scene import SceneState
from wm_core.solid import POINTS, Solid

OUTLINE = Solid.box((0.06, 0.04, 0.05)).outline.reshape(1, 2 * POINTS)


def scene(position, yaw=0.0, tilt=0.0) -> SceneState:
    unknown = SceneState.unknown(("box",))
    rotation = (Rotation.from_euler("z", yaw) * Rotation.from_euler("x", tilt)).as_quat()
    return SceneState(
        np.ones(1),
        np.array([position], float),
        rotation[None],
        np.full((1, 6), np.nan),
        unknown.variance,
        np.array([[0.06, 0.04, 0.05]]),
        OUTLINE,
        np.zeros((1, 0)),
        ("box",),
    )
