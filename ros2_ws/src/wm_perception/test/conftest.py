"""A simulated scene to look at."""

import numpy as np
import pytest

from wm_core.bundle import Bundle
from wm_core.kinematics import Kinematics
from wm_core.paths import bundles_dir, rigs_dir
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_perception.pipeline import CameraFrame
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world


class Scene:
    """The block world, rendered on demand."""

    def __init__(self) -> None:
        self.rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
        self.kinematics = Kinematics(load_robot())
        self.bundle = Bundle.load(bundles_dir() / "default")
        self.sim = ArmSim(load_world("tabletop_block"), self.rig)

    def frames(self, seed: int) -> dict[str, CameraFrame]:
        self.sim.reset(seed)
        return {camera.name: CameraFrame(*self.sim.render(camera.name), camera.K) for camera in self.rig.cameras}

    @property
    def q(self) -> np.ndarray:
        return self.sim.joint_state()[1][:7]

    @property
    def truth(self) -> np.ndarray:
        return self.sim.object_pose()[0]


@pytest.fixture(scope="session")
def scene() -> Scene:
    return Scene()
