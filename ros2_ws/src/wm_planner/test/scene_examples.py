"""Beliefs about a few objects whose shapes are known, for tests of planning in scenes."""

import numpy as np

from wm_core.hand import Hand
from wm_core.robot import load_robot
from wm_core.scene import rotation_of
from wm_core.solid import Solid
from wm_dynamics.scene_belief import SceneBelief

HAND = Hand.of(load_robot("panda"))
LOWER = np.array([0.28, -0.32, 0.012, -1.05, -1.4, 0.0])
UPPER = np.array([0.72, 0.32, 0.25, 2.13, 1.4, 0.08])
REGION = (np.array([0.30, -0.30]), np.array([0.70, 0.30]))
LIMIT = np.array([0.03, 0.03, 0.03, 0.3, 0.3, 0.04])


def believed(**objects) -> SceneBelief:
    """Objects by name: (size, x, y, yaw) or (size, x, y, yaw, bottom)."""
    names = tuple(objects)
    state, outline, height = np.zeros((len(names), 13)), [], []
    for slot, (size, x, y, yaw, *bottom) in enumerate(objects.values()):
        state[slot, :3] = x, y, size[2] / 2 + (bottom[0] if bottom else 0.0)
        state[slot, 3:7] = rotation_of(np.array(yaw))
        outline.append(Solid.box(size).outline)
        height.append(size[2])
    count = len(names)
    return SceneBelief(
        names,
        state,
        np.zeros((count, 2)),
        np.array(outline),
        np.array(height),
        np.zeros((count, 2)),
        np.ones(count, bool),
    )


CUBE, BAR, SLAB = (0.05, 0.05, 0.05), (0.03, 0.14, 0.04), (0.12, 0.12, 0.04)
