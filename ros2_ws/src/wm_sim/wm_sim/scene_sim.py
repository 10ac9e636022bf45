"""The simulated arm with its gripper and a scene of objects in PyBullet. No ROS, no wall clock: same seed and commands, same bytes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from wm_core.hand import Hand
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile, load_robot
from wm_core.rotations import quaternion_of
from wm_core.scene import SceneState
from wm_core.solid import POINTS, Solid
from wm_description.physics import connect, disconnect, draw, pybullet
from wm_sim.arm_sim import PHYSICS_HZ
from wm_sim.bodies import make_fixtures, make_table, table_box
from wm_sim.cameras import SimSensor
from wm_sim.placing import NoRoomError, Placed, draw_start, standing
from wm_sim.scene_bodies import SceneBody
from wm_sim.scene_world import SceneWorld
from wm_sim.sim_arm import SimArm
from wm_sim.world import WorldError

SETTLE_STEPS = 120
SETTLED = 0.003, 0.05  # [m, rad] an upright object may move while it settles
FINGER_FRICTION = 1.2  # rubber
GEAR_FORCE = 300.0  # [N] that keeps the fingers alike
DRAWS = 60  # of a start until one is stable
UNTURNED = 0.35  # [rad] an object that stands is tilted by less


class SceneSim:
    """A robot above a table with 1 to 6 objects. All positions are in the table frame."""

    def __init__(
        self,
        world: SceneWorld,
        robot: RobotProfile | None = None,
        *,
        rig: CameraRig | None = None,
        gui: bool = False,
    ) -> None:
        """`robot`: None for the default one; `rig`: None for no cameras. Raises WorldError where objects start out of reach."""
        self.robot = load_robot() if robot is None else robot
        world.check_reach(self.robot)
        self.world = world
        self.kinematics = Kinematics(self.robot)
        self.hand = Hand.of(self.robot)
        self._client = connect(window=gui)
        self._client.setGravity(0, 0, -9.81)
        self._client.setPhysicsEngineParameter(
            fixedTimeStep=1 / PHYSICS_HZ, numSolverIterations=50, deterministicOverlappingPairs=1
        )
        self._cameras = self._make_cameras(rig)
        self._table = make_table(self._client, world)
        if world.fixtures:
            make_fixtures(self._client, world)
        self.arm = SimArm(self._client, self.kinematics)
        self._couple_fingers()
        self.objects: tuple[SceneBody, ...] = ()
        self.identities: tuple[str, ...] = ()
        self.friction = world.table_friction  # of the table, by which an object's is multiplied
        self._steps = 0
        if gui:
            draw(self._client, world.table_centre)

    # -- episodes ------------------------------------------------------------------------------------------------

    def reset(
        self, seed: int, placed: Sequence[Placed] | None = None, names: Sequence[str] = ()
    ) -> np.random.Generator:
        """Arm to its home with an open gripper, objects where they are `placed`, or to a stable start drawn with `seed`; time goes on.

        `names`: of the objects; others are called object_0, object_1, ... Returns the generator, for what else is drawn with
        this seed. Raises WorldError for objects that do not stay where they are placed, or where none are found that do.
        """
        rng = np.random.default_rng(seed)
        self.friction = self.world.table_friction * rng.uniform(*self.world.friction)
        self._client.changeDynamics(self._table, -1, lateralFriction=self.friction)
        for _ in range(DRAWS if placed is None else 1):
            try:
                start = self._draw(rng) if placed is None else list(placed)
            except NoRoomError:
                continue
            if self._settle(start):
                break
        else:
            what = "the start drawn" if placed is None else "the objects placed"
            raise WorldError(f"{self.world.name}: start: expected objects that stay where they are put, {what} do not")
        self.objects = tuple(body.at_rest(self._client) for body in self.objects)
        given = [*names, *(f"object_{i}" for i in range(len(names), len(self.objects)))]
        self.identities = tuple(given[: len(self.objects)])
        return rng

    def step(self, count: int = 1) -> None:
        """Advance physics by `count` steps of 1/240 s."""
        for _ in range(count):
            self._client.stepSimulation()
        self._steps += count

    @contextmanager
    def saved(self) -> Iterator[Callable[[], None]]:
        """Within the block, calling what it yields brings all bodies back to how they are now. Set the arm's target anew afterwards."""
        state = self._client.saveState()
        try:
            yield lambda: self._client.restoreState(stateId=state)
        finally:
            self._client.removeState(state)

    @property
    def time_ns(self) -> int:
        """Simulated time since the start [ns]."""
        return self._steps * 1_000_000_000 // PHYSICS_HZ

    def close(self) -> None:
        """Free the physics server; calling again does nothing."""
        disconnect(self._client)

    # -- scene ---------------------------------------------------------------------------------------------------

    @property
    def scene(self) -> SceneState:
        """All objects where they truly are; `shape`: their outlines (POINTS * 2,) [m], a place after the other."""
        count = len(self.objects)
        state = SceneState.unknown(self.identities)
        poses = [body.pose(self._client) for body in self.objects]
        state.presence[:] = 1.0
        for i, (body, (position, rotation)) in enumerate(zip(self.objects, poses, strict=True)):
            state.position[i], state.rotation[i] = position, quaternion_of(rotation)
            state.velocity[i], state.size[i] = body.velocity(self._client), body.solid.size
        shape = np.array([body.solid.outline for body in self.objects]).reshape(count, 2 * POINTS)
        return SceneState(
            state.presence,
            state.position,
            state.rotation,
            state.velocity,
            np.zeros_like(state.variance),
            state.size,
            shape,
            state.appearance,
            self.identities,
        )

    @property
    def solids(self) -> list[Solid]:
        """The objects' shapes where they truly are, in the table frame."""
        poses = [body.pose(self._client) for body in self.objects]
        return [
            body.solid.turned(rotation).moved(position)
            for body, (position, rotation) in zip(self.objects, poses, strict=True)
        ]

    def put(self, slot: int, position: np.ndarray, rotation: np.ndarray, velocity: np.ndarray | None = None) -> None:
        """An object at a pose: (3,) [m], (3, 3); `velocity` (6,) [m/s, rad/s], None: at rest."""
        self.objects[slot].place(self._client, position, rotation, velocity)

    def touched(self) -> tuple[np.ndarray, np.ndarray]:
        """Which objects the robot touches (K,), and which touch each other (K, K)."""
        by_robot = np.array([bool(self._client.getContactPoints(body.index, self.arm.body)) for body in self.objects])
        by_others = np.zeros((len(self.objects),) * 2, bool)
        for i, one in enumerate(self.objects):
            for j, other in enumerate(self.objects[:i]):
                by_others[i, j] = by_others[j, i] = bool(self._client.getContactPoints(one.index, other.index))
        return by_robot, by_others

    def set_friction(self, slot: int, factor: float) -> None:
        """An object's friction as a multiple of what it was drawn with."""
        body = self.objects[slot]
        self._client.changeDynamics(body.index, -1, lateralFriction=body.body.friction * factor)

    def set_mass(self, slot: int, factor: float) -> None:
        """An object's mass as a multiple of what it was drawn with; its inertia grows as much."""
        body, mass = self.objects[slot], self.objects[slot].body.mass * factor
        now, _, inertia, *_ = self._client.getDynamicsInfo(body.index, -1)
        inertia = (np.array(inertia) * mass / now).tolist()
        self._client.changeDynamics(body.index, -1, mass=mass, localInertiaDiagonal=inertia)

    def push(self, slot: int, velocity: np.ndarray) -> None:
        """Set an object's velocity (6,) [m/s, rad/s] at once."""
        body = self.objects[slot]
        body.place(self._client, *body.pose(self._client), velocity)

    def render(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8 RGB and depth (H, W) float32 [m] along the optical axis, 0 where nothing was measured."""
        return self._cameras[camera].render(self.time_ns)

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(self._cameras)

    # -- inside --------------------------------------------------------------------------------------------------

    def _draw(self, rng: np.random.Generator) -> list[Placed]:
        return draw_start(self.world.draw_bodies(rng), self.world.start, rng, standing(self.world))

    def _settle(self, start: Sequence[Placed]) -> bool:
        """Put objects down and let them come to rest with the arm at home; whether all stand and stayed where they were put."""
        for body in self.objects:
            self._client.removeBody(body.index)
        self.arm.place(self.arm.home, self.hand.opening[1])
        self.objects = tuple(SceneBody.make(self._client, placed) for placed in start)
        self.identities = tuple(f"object_{i}" for i in range(len(start)))
        self.step(SETTLE_STEPS)
        lower, upper = self.world.start.region.lower - 0.03, self.world.start.region.upper + 0.03
        for body, placed in zip(self.objects, start, strict=True):
            position, rotation = body.pose(self._client)
            if (
                (position[:2] < lower).any()
                or (position[:2] > upper).any()
                or np.abs(body.velocity(self._client)).max() > 0.05
            ):
                return False
            stands = placed.rotation[2, 2] > 0.999
            moved = np.linalg.norm(position - placed.position)
            turned = np.linalg.norm(rotation - placed.rotation) / np.sqrt(2)
            if stands and body.body.own_upright and (moved > SETTLED[0] or turned > SETTLED[1]):
                return False
            if placed.on >= 0 and abs(position[2] - placed.position[2]) > SETTLED[0]:
                return False
        return not self.touched()[0].any()

    def _couple_fingers(self) -> None:
        """PyBullet ignores <mimic>: without a gear what is held slides to and fro between the fingers."""
        fingers = self.arm.finger_joints
        for joint in fingers:
            self._client.changeDynamics(self.arm.body, joint, lateralFriction=FINGER_FRICTION, spinningFriction=0.01)
        for follower in fingers[1:]:
            gear = self._client.createConstraint(
                self.arm.body,
                fingers[0],
                self.arm.body,
                follower,
                pybullet.JOINT_GEAR,
                [0, 1, 0],
                [0, 0, 0],
                [0, 0, 0],
            )
            self._client.changeConstraint(gear, gearRatio=-1, erp=0.2, maxForce=GEAR_FORCE)

    def _make_cameras(self, rig: CameraRig | None) -> dict[str, SimSensor]:
        """Cameras before an empty table, which is drawn once: see SimCamera."""
        if rig is None:
            return {}
        half, place = table_box(self.world)
        colour = [*self.world.table_colour, 1]
        shape = self._client.createVisualShape(pybullet.GEOM_BOX, halfExtents=half, rgbaColor=colour)
        look = self._client.createMultiBody(baseVisualShapeIndex=shape, basePosition=place)
        placed = rig.in_table_frame(self.robot)
        cameras = {camera.name: SimSensor(self._client, camera, self.world.light) for camera in placed.cameras}
        self._client.removeBody(look)
        return cameras
