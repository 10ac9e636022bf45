"""The bodies of a world in PyBullet: table, fixtures, object. `client`: a physics server."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from wm_description.physics import pybullet
from wm_sim.shapes import looks, positions, shapes
from wm_sim.world import Part, World


class Table(Protocol):
    """What worlds say of their table and of what stands still on it."""

    @property
    def table_size(self) -> tuple[float, float]: ...

    @property
    def table_centre(self) -> tuple[float, float]: ...

    @property
    def table_friction(self) -> float: ...

    @property
    def fixtures(self) -> tuple[Part, ...]: ...


class Factors(NamedTuple):
    """How one episode's object differs from the world's: factors, and an offset of the colour (3,)."""

    mass: float = 1.0
    friction: float = 1.0
    size: float = 1.0
    colour: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0)


def make_table(client: Any, world: Table) -> int:
    """The table, as something to stand on: the cameras have drawn it already. Returns its body."""
    half, place = table_box(world)
    shape = client.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half)
    # Without a look of its own it would look like its collision shape.
    speck = client.createVisualShape(pybullet.GEOM_BOX, halfExtents=[1e-6] * 3)
    table = client.createMultiBody(baseCollisionShapeIndex=shape, baseVisualShapeIndex=speck, basePosition=place)
    client.changeDynamics(table, -1, lateralFriction=world.table_friction)
    return table


def make_fixtures(client: Any, world: Table) -> None:
    """What stands on the table and does not move, in one body."""
    parts = world.fixtures
    look = client.createVisualShapeArray(
        **looks(parts), visualFramePositions=positions(parts), rgbaColors=[[*part.colour, 1.0] for part in parts]
    )
    solid = [part for part in parts if part.collides]
    touch = client.createCollisionShapeArray(**shapes(solid), collisionFramePositions=positions(solid)) if solid else -1
    client.createMultiBody(baseCollisionShapeIndex=touch, baseVisualShapeIndex=look)


def table_box(world: Table) -> tuple[list[float], list[float]]:
    """Half extents and centre [m] of the table top."""
    size, thickness = world.table_size, 0.04
    return [size[0] / 2, size[1] / 2, thickness / 2], [*world.table_centre, -thickness / 2]


def object_shapes(client: Any, world: World, factors: Factors) -> tuple[int, int]:
    """The object's collision shape and visual shape. PyBullet keeps the memory of each for good: make them once where they are the same."""
    scale = factors.size
    solid = [part for part in world.parts if part.collides]
    collision = client.createCollisionShapeArray(
        **shapes(solid, scale), collisionFramePositions=positions(solid, scale)
    )
    colours = [[*np.clip(np.asarray(part.colour) + np.asarray(factors.colour), 0, 1), 1.0] for part in world.parts]
    visual = client.createVisualShapeArray(
        **looks(world.parts, scale),
        visualFramePositions=positions(world.parts, scale),
        rgbaColors=colours,
    )
    return collision, visual


def make_object(
    client: Any, world: World, shapes: tuple[int, int], place: np.ndarray, yaw: float, factors: Factors
) -> tuple[int, float, np.ndarray]:
    """The object of these `object_shapes` a little above `place` (2,) [m], turned by `yaw` [rad]: its body, mass [kg], and centre of
    mass (3,) [m] in its frame.
    """
    mass = world.mass * factors.mass
    centre = np.asarray(world.centre_of_mass) * factors.size
    rotation = client.getQuaternionFromEuler([0, 0, yaw])
    body = client.createMultiBody(
        baseMass=mass,
        baseCollisionShapeIndex=shapes[0],
        baseVisualShapeIndex=shapes[1],
        basePosition=[float(place[0]), float(place[1]), 0.001],
        baseOrientation=rotation,
        baseInertialFramePosition=centre.tolist(),
    )
    client.changeDynamics(
        body,
        -1,
        lateralFriction=world.friction * factors.friction,
        spinningFriction=0.001,
        linearDamping=0.04,
        angularDamping=0.04,
    )
    return body, mass, centre
