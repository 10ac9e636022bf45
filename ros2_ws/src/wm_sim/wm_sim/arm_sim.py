"""The simulated arm, table and object in PyBullet. No ROS, no wall clock: same seed and commands, same bytes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile, load_robot
from wm_core.scene import SceneState
from wm_description.physics import connect, disconnect, draw, pybullet
from wm_sim.bodies import Factors, make_fixtures, make_object, make_table, object_shapes, table_box
from wm_sim.cameras import SimSensor
from wm_sim.sim_arm import SimArm
from wm_sim.world import World, WorldError

PHYSICS_HZ = 240
MIN_START_GAP = 0.09  # [m] between tool and object at the start
SETTLE_STEPS = 60


def physics_steps(control_period: float) -> int:
    """Physics steps of a control period [s]; raises ValueError unless they are whole ones."""
    steps = control_period * PHYSICS_HZ
    if steps < 1 or abs(steps - round(steps)) > 1e-6:
        raise ValueError(f"expected control_period to be a multiple of 1/{PHYSICS_HZ} s, got {control_period}")
    return round(steps)


class BodyState(NamedTuple):
    """Where the bodies of an ArmSim are: as PyBullet has them, for ArmSim.show."""

    joints: list[float]  # [rad, m] of arm and fingers
    position: tuple[float, ...]  # (3,) [m] of the object's centre of mass
    rotation: tuple[float, ...]  # (4,) xyzw


class ArmSim:
    """A robot with a closed gripper or a pusher above a table with one object. All positions are in the table frame."""

    def __init__(
        self,
        world: World,
        rig: CameraRig,
        *,
        robot: RobotProfile | None = None,
        randomise: bool = False,
        gui: bool = False,
    ) -> None:
        """`robot`: None for the default one. `randomise`: draw mass, friction, size and colour per episode from the
        world's ranges. `gui`: open a window. Raises WorldError when objects start or shall go where the robot cannot reach.
        """
        self.robot = load_robot() if robot is None else robot
        world.check_reach(self.robot)
        self.world = world
        self.rig = rig.in_table_frame(self.robot)
        self.kinematics = Kinematics(self.robot)
        self._randomise = randomise
        self._client = connect(window=gui)
        self._client.setGravity(0, 0, -9.81)
        self._client.setPhysicsEngineParameter(
            fixedTimeStep=1 / PHYSICS_HZ, numSolverIterations=50, deterministicOverlappingPairs=1
        )
        self._cameras = self._make_cameras(gui)
        make_table(self._client, world)
        if world.fixtures:
            make_fixtures(self._client, world)
        self._arm = SimArm(self._client, self.kinematics)
        self.joint_names = self._arm.joint_names
        self._object: int | None = None
        self._shapes: tuple[int, int] | None = None  # of the object
        self._hidden = False
        self._steps = self._episode_ns = 0
        if gui:
            draw(self._client, world.table_centre)

    # -- episodes ------------------------------------------------------------------------------------------------

    def reset(self, seed: int, object_xy: Sequence[float] | None = None, settle: bool = True) -> dict[str, np.ndarray]:
        """Arm to its home, object to a place drawn with `seed` (or `object_xy`); time goes on.

        `settle`: let the object come to rest; False where its place comes from elsewhere, see `show`.
        Returns `object_xy` (2,), where it came to rest, and `goal_xy` (2,), a goal drawn with the same seed [m].
        Raises ValueError for a place off the table or on the tool.
        """
        place = None if object_xy is None else self._checked_place(object_xy)
        rng = np.random.default_rng(seed)
        self._hidden = False
        self._episode_ns = self.time_ns
        for camera in self._cameras.values():
            camera.reset(seed)
        self.place(self.home)
        drawn = self._draw_start(rng)  # drawn in any case: yaw and goal depend on the seed alone
        place = drawn if place is None else place
        yaw = rng.uniform(-np.pi, np.pi)
        factors = self._draw_factors(rng)
        if self._object is not None:
            self._client.removeBody(self._object)
        if self._shapes is None or self._randomise:
            self._shapes = object_shapes(self._client, self.world, factors)
        self._object, self._mass, self._centre = make_object(
            self._client, self.world, self._shapes, place, yaw, factors
        )
        self.step(SETTLE_STEPS if settle else 0)
        rest = self.scene.xy[0]
        return {"object_xy": rest, "goal_xy": self.world.draw_goal(rng, rest)}

    def step(self, count: int = 1) -> None:
        """Advance physics by `count` steps of 1/240 s."""
        for _ in range(count):
            self._client.stepSimulation()
        self._steps += count

    @contextmanager
    def saved(self) -> Iterator[Callable[[], None]]:
        """Within the block, calling what it yields brings all bodies back to how they are now; time goes on.

        For asking what else could have happened. Set the arm's target anew afterwards; do not reset within the block.
        """
        state = self._client.saveState()
        try:
            yield lambda: self._client.restoreState(stateId=state)
        finally:
            self._client.removeState(state)

    def body_state(self) -> BodyState:
        """Where arm and object are now."""
        return BodyState(self._arm.positions(), *self._client.getBasePositionAndOrientation(self._object))

    def show(self, state: BodyState) -> None:
        """Put arm and object where those of another ArmSim of the same episode are."""
        self._arm.show(state.joints)
        self._client.resetBasePositionAndOrientation(self._object, state.position, state.rotation)

    @property
    def time_ns(self) -> int:
        """Simulated time since the start [ns]."""
        return self._steps * 1_000_000_000 // PHYSICS_HZ

    def close(self) -> None:
        """Free the physics server; calling again does nothing."""
        disconnect(self._client)

    # -- arm -----------------------------------------------------------------------------------------------------

    @property
    def home(self) -> np.ndarray:
        """Joint angles (n,) at the start of every episode [rad]."""
        return self._arm.home

    def place(self, q: np.ndarray) -> None:
        """The arm at rest at joints `q` (n,) [rad], at once; the gripper closed."""
        self._arm.place(q)

    def set_target(self, q: np.ndarray) -> None:
        """Joint position targets (n,) [rad] of the arm's servos; the gripper stays closed."""
        self._arm.set_target(q)

    def joint_state(self) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Names, positions (n,) [rad, m] and velocities (n,) [rad/s, m/s] of arm and fingers, the arm's first."""
        return self._arm.joint_state()

    def arm_motion(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The arm without fingers: joints (n,) [rad], their velocities (n,) [rad/s], tool position (3,) [m], by the physics engine."""
        return self._arm.motion()

    # -- object --------------------------------------------------------------------------------------------------

    def object_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) [m] of the object's origin (middle of its footprint), quaternion (4,) xyzw. Ground truth."""
        position, rotation = self._client.getBasePositionAndOrientation(self._object)
        # Bullet reports the centre of mass.
        offset = self._client.rotateVector(rotation, self._centre.tolist())
        return np.asarray(position) - np.asarray(offset), np.asarray(rotation)

    @property
    def scene(self) -> SceneState:
        """The object where it truly is."""
        return SceneState.of_pose(*self.object_pose())

    def disturb(
        self,
        impulse: Sequence[float] = (0, 0, 0),
        displacement: Sequence[float] = (0, 0, 0),
        hidden: bool = False,
        name: str = "",
    ) -> None:
        """Kick the object [N s], move it at once [m], or hide it from all cameras until the next call; it has one name."""
        if name not in ("", *self.scene.identities):
            raise ValueError(f"expected the object '{self.scene.identities[0]}', the only one, got '{name}'")
        position, rotation = self._client.getBasePositionAndOrientation(self._object)
        linear, angular = self._client.getBaseVelocity(self._object)
        if any(displacement):
            self._client.resetBasePositionAndOrientation(
                self._object, np.add(position, displacement).tolist(), rotation
            )
        if any(impulse):
            self._client.resetBaseVelocity(
                self._object, np.add(linear, np.asarray(impulse) / self._mass).tolist(), angular
            )
        self._hidden = hidden

    def repaint(self, colour: Sequence[float]) -> None:
        """Give all of the object one colour r, g, b in 0..1 until the next reset."""
        for index in range(len(self.world.parts)):
            self._client.changeVisualShape(self._object, -1, shapeIndex=index, rgbaColor=[*colour, 1.0])

    # -- cameras -------------------------------------------------------------------------------------------------

    def render(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8 RGB and depth (H, W) float32 [m] along the optical axis, 0 beyond the far plane.

        As the camera's driver publishes them, with the rig's sensor model and with the lens's distortion.
        """
        pose = self._take_away() if self._hidden else None
        images = self._cameras[camera].render(self.time_ns - self._episode_ns)
        if pose is not None:
            self._put_back(pose)
        return images

    def rectified(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """As `render`, without the lens's distortion: the camera's K describes these images."""
        return self._cameras[camera].rectified(*self.render(camera))

    # -- inside --------------------------------------------------------------------------------------------------

    def _checked_place(self, xy: Sequence[float]) -> np.ndarray:
        place, tool = np.asarray(xy, float), self.robot.home.position[:2]
        centre, half = np.array(self.world.table_centre), np.divide(self.world.table_size, 2)
        on_table = place.shape == (2,) and (np.abs(place - centre) < half).all()
        if not on_table or np.linalg.norm(place - tool) < MIN_START_GAP:
            raise ValueError(f"expected x, y on the table, {MIN_START_GAP} m or more from the tool at {tool}, got {xy}")
        return place

    def _draw_start(self, rng: np.random.Generator) -> np.ndarray:
        for _ in range(1000):
            place = self.world.start.draw(rng)
            if np.linalg.norm(place - self.robot.home.position[:2]) >= MIN_START_GAP:
                return place
        raise WorldError(
            f"{self.world.name}: start: every place is within {MIN_START_GAP} m of the tool; move the region"
        )

    def _draw_factors(self, rng: np.random.Generator) -> Factors:
        ranges = self.world.randomise
        drawn = Factors(
            rng.uniform(*ranges.mass),
            rng.uniform(*ranges.friction),
            rng.uniform(*ranges.size),
            rng.uniform(-ranges.colour, ranges.colour, 3),
        )
        return drawn if self._randomise else Factors()

    def _make_cameras(self, gui: bool) -> dict[str, SimSensor]:
        """Cameras before a table that nothing stands on yet; it is drawn once, see SimCamera.

        For a window it stays: drawn again where it was drawn before, it changes no picture.
        """
        half, place = table_box(self.world)
        colour = [*self.world.table_colour, 1]
        shape = self._client.createVisualShape(pybullet.GEOM_BOX, halfExtents=half, rgbaColor=colour)
        look = self._client.createMultiBody(baseVisualShapeIndex=shape, basePosition=place)
        cameras = {camera.name: SimSensor(self._client, camera, self.world.light) for camera in self.rig.cameras}
        if not gui:
            self._client.removeBody(look)
        return cameras

    def _take_away(self) -> tuple:
        pose = (*self._client.getBasePositionAndOrientation(self._object), *self._client.getBaseVelocity(self._object))
        self._client.resetBasePositionAndOrientation(self._object, [0, 0, -10], pose[1])
        return pose

    def _put_back(self, pose: tuple) -> None:
        self._client.resetBasePositionAndOrientation(self._object, pose[0], pose[1])
        self._client.resetBaseVelocity(self._object, pose[2], pose[3])
