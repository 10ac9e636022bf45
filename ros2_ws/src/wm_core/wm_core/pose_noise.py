"""What a robot that sees objects would report, from the truth: poses with noise, nothing of velocities. In simulation only."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.scene import SceneState


@dataclass(frozen=True)
class PoseNoise:
    """Standard deviations of what is observed in each axis: position [m], rotation [rad]."""

    position: float = 0.003
    rotation: float = float(np.radians(3.0))

    @property
    def variance(self) -> np.ndarray:
        """(2,)"""
        return np.array([self.position, self.rotation]) ** 2


BY_DEPTH = PoseNoise(0.0015, float(np.radians(1.2)))  # of objects that cameras see (wm_perception.scene)


def noisy(scene: SceneState, noise: PoseNoise, rng: np.random.Generator) -> SceneState:
    """The scene with errors of position and rotation drawn anew; velocities are not seen."""
    turn = Rotation.from_rotvec(rng.normal(0, noise.rotation, (scene.slots, 3)))
    return replace(
        scene,
        position=scene.position + rng.normal(0, noise.position, scene.position.shape),
        rotation=(turn * Rotation.from_quat(scene.rotation)).as_quat(),
        velocity=np.full_like(scene.velocity, np.nan),
    )
