"""Worlds unlike those that were trained on, one factor at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from wm_core.rig import CameraRig
from wm_core.rotations import parts_of, pose_of
from wm_sim.world import Light, Part, World

SHIFT_DEG = 4.0  # by which a camera is turned without anybody knowing
SHIFT_M = 0.02  # and moved
PAINT = ((0.95, 0.95, 0.95), (0.1, 0.1, 0.1))  # of the stripes
STRIPES = 5
DIM = Light((-0.8, -0.5, 0.6), 0.35, 0.6)
OCCLUDER = Part("box", (0.34, 0.03, 0.32), (0.5, 0.30, 0.16), (0.25, 0.25, 0.28), False)  # before the left camera
# Nothing like block, mug or disk: a flat L.
STRANGER = (
    Part("box", (0.11, 0.035, 0.035), (0.0, 0.0, 0.0175), (0.15, 0.6, 0.25), True),
    Part("box", (0.035, 0.06, 0.035), (-0.0375, 0.0475, 0.0175), (0.15, 0.6, 0.25), True),
)


@dataclass(frozen=True)
class Variation:
    """What is different: the world, or where the cameras really are."""

    factor: str
    level: str
    world: Callable[[World], World] = lambda world: world
    rig: Callable[[CameraRig], CameraRig] = lambda rig: rig


def _physics(mass: float | None = None, friction: float | None = None) -> Callable[[World], World]:
    """The object's mass or friction times a factor, in place of its usual range."""

    def change(world: World) -> World:
        ranges = world.randomise
        if mass is not None:
            ranges = replace(ranges, mass=(mass, mass))
        if friction is not None:
            ranges = replace(ranges, friction=(friction, friction))
        return replace(world, randomise=ranges)

    return change


def _striped(world: World) -> World:
    """Stripes around the object, of two colours that it never had."""
    body = world.parts[0]
    height = body.size[-1]
    layers = []
    for i in range(STRIPES):
        thick = height / STRIPES
        size = (*body.size[:-1], thick)
        place = (body.position[0], body.position[1], body.position[2] - height / 2 + (i + 0.5) * thick)
        layers.append(Part(body.shape, size, place, PAINT[i % 2], body.collides))
    rest = tuple(replace(part, colour=PAINT[1]) for part in world.parts[1:])
    return replace(world, parts=(*layers, *rest), centre_of_mass=world.centre_of_mass)


def _stranger(world: World) -> World:
    return replace(world, parts=STRANGER, centre_of_mass=(0.0, 0.0, 0.0175))


def _turned(rig: CameraRig) -> CameraRig:
    """The first camera turned about the vertical and moved sideways."""
    first, *others = rig.cameras
    angle = np.radians(SHIFT_DEG)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    rotation, position = parts_of(first.T_table_optical)
    pose = pose_of(turn @ rotation, position + [SHIFT_M, 0.0, 0.0])
    return replace(rig, cameras=(replace(first, T_table_optical=pose), *others))


VARIATIONS = (
    Variation("friction", "x 0.2", _physics(friction=0.2)),
    Variation("friction", "x 4", _physics(friction=4.0)),
    Variation("mass", "x 5", _physics(mass=5.0)),
    Variation("mass", "x 1000, as if fixed", _physics(mass=1000.0)),
    Variation("texture", "black and white stripes", _striped),
    Variation("light", "from the other side, dim", lambda world: replace(world, light=DIM)),
    Variation("camera shift", f"one camera by {SHIFT_DEG:.0f} deg, {100 * SHIFT_M:.0f} cm", rig=_turned),
    Variation("occluder", "board before one camera", lambda world: replace(world, fixtures=(OCCLUDER,))),
    Variation("new object", "flat green L", _stranger),
)
