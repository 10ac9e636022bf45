"""What cameras see of a simulated scene, by the names and in the frames of the truth: for judging, where goals are about these."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.outline import begun_ahead, turned
from wm_core.rig import CameraRig
from wm_core.rotations import quaternion_of
from wm_core.scene import SceneState
from wm_core.solid import POINTS
from wm_dynamics.scene_belief import SceneBelief
from wm_perception.pipeline import CameraFrame
from wm_perception.scene.eye import SceneEye
from wm_perception.scene.parts import PartsModel
from wm_perception.scene.surface import Surface, SurfaceCamera
from wm_sim.scene_sim import SceneSim
from wm_tasks.scenes.seen_goal import seen_slot


class SightError(ValueError):
    """Objects that were not found at the start."""


class CameraSight:
    """Sees the objects of a SceneSim with its cameras. Begin when all objects are in view and at rest."""

    def __init__(self, sim: SceneSim, rig: CameraRig, parts: PartsModel | None = None) -> None:
        self._sim = sim
        self._camera = SurfaceCamera(rig, sim.kinematics)
        self.eye = SceneEye(parts)
        self._order: list[int] = []

    def begin(self, tool: np.ndarray) -> SceneState:
        """The first look of an episode; raises SightError unless each object is seen as one."""
        while not self._camera.settled:
            surface_of(self._sim, self._camera)
        self.eye.reset()
        seen, truth = self._look(tool), self._sim.scene
        self._order, self._turns, self._offsets = [], [], []
        for slot in range(truth.slots):
            nearest = seen_slot(slot, truth, seen)
            if nearest is None or nearest in self._order:
                raise SightError(f"'{truth.identities[slot]}' was not seen as one object")
            turn = float(truth.yaw[slot])
            self._order.append(nearest)
            self._turns.append(turn)
            off = truth.position[slot] - seen.position[nearest]
            self._offsets.append(np.array([*turned(off[None, :2], -turn)[0], off[2]]))
        return self._named(seen, truth)

    def look(self, tool: np.ndarray, expected: SceneBelief) -> SceneState:
        """What is seen now of the objects found at the beginning; `tool` (6,): where the hand is; `expected`: where they may be."""
        poses = {}
        for slot, (one, turn, off) in enumerate(zip(self._order, self._turns, self._offsets, strict=True)):
            yaw = float(expected.yaw[slot])
            place = expected.position[slot, :2] - turned(off[None, :2], yaw)[0]
            each = self.eye.objects[one]
            top = float(expected.position[slot, 2]) - off[2] + each.template.height / 2
            poses[each.name] = np.array([*place, yaw - turn, top])
        return self._named(self._look(tool, poses), self._sim.scene)

    def _look(self, tool: np.ndarray, expected: dict[str, np.ndarray] | None = None) -> SceneState:
        return self.eye.look(surface_of(self._sim, self._camera), tool, expected)

    def _named(self, seen: SceneState, truth: SceneState) -> SceneState:
        """By the names of the truth, and in the frames in which the truth says how objects are turned."""
        made = SceneState.unknown(truth.identities)
        shape = np.zeros((truth.slots, 2 * POINTS))
        for slot, (one, turn, off) in enumerate(zip(self._order, self._turns, self._offsets, strict=True)):
            yaw = float(seen.yaw[one]) + turn
            made.presence[slot] = seen.presence[one]
            made.position[slot] = seen.position[one] + [*turned(off[None, :2], yaw)[0], off[2]]
            made.rotation[slot] = quaternion_of(Rotation.from_euler("z", yaw).as_matrix())
            made.size[slot] = seen.size[one]
            outline = turned(seen.shape[one].reshape(POINTS, 2), -turn) - off[:2]
            shape[slot] = begun_ahead(outline, np.zeros(())).ravel()
        return replace(made, shape=shape, velocity=np.full_like(made.velocity, np.nan))


def surface_of(sim: SceneSim, camera: SurfaceCamera) -> Surface:
    """What the cameras of a simulator see now."""
    frames = {name: CameraFrame(*sim.render(name), each.K) for name, each in camera.cameras.items()}
    q = np.asarray(sim.arm.joint_state()[1][: len(sim.kinematics.joint_names)])
    return camera.look(frames, q, sim.arm.opening())
