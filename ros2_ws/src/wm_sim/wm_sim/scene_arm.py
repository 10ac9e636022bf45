"""A scene of several objects behind the interface of an ArmSim: what drives and shows the one drives and shows the other."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.goal import Goal
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile
from wm_core.scene import SceneState
from wm_sim.arm_sim import PHYSICS_HZ
from wm_sim.scene_draw import draw_episode
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import SceneTask
from wm_sim.scene_world import SceneWorld
from wm_sim.world import WorldError

FINGER_SPEED = 0.4  # [m/s] at which the opening follows what is commanded
NOT_PICKED = "expected no place of one object in a scene of several, got one; leave set_object out"


class SceneArm:
    """Starts are drawn from a task where there is one, `goal` is then what it asks for; else from the world."""

    def __init__(self, world: SceneWorld, robot: RobotProfile, rig: CameraRig, task: SceneTask | None = None) -> None:
        """Raises WorldError where objects start out of reach, or for a task that begins with an object that slides."""
        if task is not None and task.slide is not None:
            raise WorldError(
                f"{task.name}: expected a task in which nothing moves at first: a goal given by a message comes too late; try"
                " ./wm bench scenes, which gives it in the first instant"
            )
        self._scene = SceneSim(world, robot, rig=rig)
        self._task, self.world, self.robot = task, world, robot
        self.goal: Goal | None = None
        self._hidden: set[str] = set()
        self._wanted = self._opening = self._scene.hand.opening[1]

    # -- episodes ------------------------------------------------------------------------------------------------

    def reset(self, seed: int, object_xy: Sequence[float] | None = None) -> None:
        """Arm to its home with an open gripper, objects to a start drawn with `seed`; time goes on. Raises ValueError for a place."""
        if object_xy is not None:
            raise ValueError(NOT_PICKED)
        self._hidden.clear()
        self.goal = None
        if self._task is None:
            self._scene.reset(seed)
        else:
            self.goal = draw_episode(self._task, self._scene, seed).goal
        self._wanted = self._opening = self._scene.hand.opening[1]

    def step(self, count: int = 1) -> None:
        """Advance physics by `count` steps of 1/240 s."""
        self._scene.step(count)

    @property
    def time_ns(self) -> int:
        """Simulated time since the start [ns]."""
        return self._scene.time_ns

    def close(self) -> None:
        self._scene.close()

    # -- arm -----------------------------------------------------------------------------------------------------

    @property
    def kinematics(self) -> Kinematics:
        return self._scene.kinematics

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._scene.arm.joint_names

    @property
    def home(self) -> np.ndarray:
        """Joint angles (n,) at the start of every episode [rad]."""
        return self._scene.arm.home

    def place(self, q: np.ndarray) -> None:
        """The arm at rest at joints `q` (n,) [rad], at once."""
        self._scene.arm.place(q, self._opening)

    def open_to(self, opening: float) -> None:
        """From now on the fingers go to this opening [m]."""
        self._wanted = float(np.clip(opening, *self._scene.hand.opening))

    def set_target(self, q: np.ndarray) -> None:
        """Joint position targets (n,) [rad] of the arm's servos for the next physics step; the fingers follow at their own speed."""
        most = FINGER_SPEED / PHYSICS_HZ
        self._opening += float(np.clip(self._wanted - self._opening, -most, most))
        self._scene.arm.set_target(q, self._opening)

    def joint_state(self) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Names, positions (n,) [rad, m] and velocities (n,) [rad/s, m/s] of arm and fingers, the arm's first."""
        return self._scene.arm.joint_state()

    def arm_motion(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The arm without fingers: joints (n,) [rad], their velocities (n,) [rad/s], tool position (3,) [m], by the physics engine."""
        return self._scene.arm.motion()

    # -- objects -------------------------------------------------------------------------------------------------

    @property
    def scene(self) -> SceneState:
        """All objects where they truly are."""
        return self._scene.scene

    @property
    def visibility(self) -> np.ndarray:
        """(K,) 0 for objects that are hidden from the cameras, else 1."""
        return np.array([float(name not in self._hidden) for name in self._scene.identities])

    def object_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) [m] and quaternion (4,) xyzw of the first object. Ground truth."""
        scene = self.scene
        return scene.position[0], scene.rotation[0]

    def disturb(
        self,
        impulse: Sequence[float] = (0, 0, 0),
        displacement: Sequence[float] = (0, 0, 0),
        hidden: bool = False,
        name: str = "",
    ) -> None:
        """Kick an object [N s], move it at once [m], or hide it from all cameras until the next call; empty name: the first."""
        identities = self._scene.identities
        if name and name not in identities:
            raise ValueError(f"expected an object out of {list(identities)}, got '{name}'")
        slot = identities.index(name) if name else 0
        scene, body = self.scene, self._scene.objects[slot]
        velocity = scene.velocity[slot].copy()
        velocity[:3] += np.asarray(impulse) / body.body.mass
        if any(displacement) or any(impulse):
            place, rotation = scene.position[slot] + displacement, Rotation.from_quat(scene.rotation[slot])
            self._scene.put(slot, place, rotation.as_matrix(), velocity)
        (self._hidden.add if hidden else self._hidden.discard)(identities[slot])

    # -- cameras -------------------------------------------------------------------------------------------------

    def render(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8 RGB and depth (H, W) float32 [m] along the optical axis, 0 where nothing was measured."""
        return self._scene.render(camera)
