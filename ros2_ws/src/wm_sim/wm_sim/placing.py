"""Where objects of a scene start: apart, beside or on each other; drawn without physics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.solid import DIRECTIONS, Solid
from wm_sim.kinds import Body
from wm_sim.scene_world import SceneWorld, Start

TRIES = 200  # for each object
ABOVE = 0.0005  # [m] at the start, over what it comes to rest on
ON_TOP = 0.35  # share of the lower object's inscribed radius by which the upper one may be off its middle
TOUCHING, NEAR = 0.0004, 0.004  # [m] smallest and largest gap of what starts beside another


@dataclass(frozen=True)
class Placed:
    """A body at a pose: position (3,) [m], rotation (3, 3), in the table frame."""

    body: Body
    position: np.ndarray
    rotation: np.ndarray
    on: int = -1  # the object that carries it; -1: the table

    @property
    def solid(self) -> Solid:
        """In the table frame."""
        return self.body.solid.turned(self.rotation).moved(self.position)


class NoRoomError(ValueError):
    """Objects that do not fit into a region."""


def upright(body: Body, place: Sequence[float] | np.ndarray, yaw: float, height: float = 0.0, on: int = -1) -> Placed:
    """Standing at x, y [m], turned by `yaw` [rad], its bottom at a height [m]."""
    rotation = Rotation.from_euler("z", yaw).as_matrix()
    return Placed(body, np.array([place[0], place[1], height - body.solid.lower[2] + ABOVE]), rotation, on)


def standing(world: SceneWorld) -> list[Placed]:
    """The fixtures of a world that can be touched."""
    placed = []
    for part in world.fixtures:
        if part.collides:
            place = np.array(part.position)
            solid, colour = part.solid.moved(-place), np.array(part.colour)
            placed.append(Placed(Body("fixture", (), solid, np.inf, 1.0, np.zeros(3), colour, True), place, np.eye(3)))
    return placed


def apart(one: Placed, other: Placed, gap: float) -> bool:
    """Whether two footprints, seen from above, are at least `gap` [m] apart."""
    between = np.linalg.norm(one.position[:2] - other.position[:2])
    if between > one.body.solid.radius + other.body.solid.radius + gap:
        return True
    first, second = one.solid, other.solid
    return not (_meets(first, one.position, second, gap) or _meets(second, other.position, first, gap))


def draw_start(
    bodies: Sequence[Body], start: Start, rng: np.random.Generator, taken: Sequence[Placed] = ()
) -> list[Placed]:
    """Poses of all bodies; `taken`: what stands there already. Raises NoRoomError."""
    placed: list[Placed] = []
    for body in bodies:
        for _ in range(TRIES):
            candidate, gap = _candidate(body, start, rng, placed)
            carrier = -1 if candidate is None or candidate.on < 0 else candidate.on + len(taken)
            if candidate is not None and _free(candidate, [*taken, *placed], gap, carrier):
                placed.append(candidate)
                break
        else:
            region = start.region
            raise NoRoomError(
                f"expected room for {len(bodies)} objects from {region.lower} to {region.upper} m, found none for"
                f" '{body.kind}' of {np.round(body.solid.size, 3)} m"
            )
    return placed


def _candidate(
    body: Body, start: Start, rng: np.random.Generator, placed: Sequence[Placed]
) -> tuple[Placed | None, float]:
    """A pose, and the gap [m] that it must keep from the others."""
    mode, yaw, place = rng.random(), rng.uniform(-np.pi, np.pi), start.region.draw(rng)
    if mode < start.toppled or not body.own_upright:
        return _lying(body, place, rng), start.gap
    if placed and mode < start.toppled + start.stacked:
        return _stacked(body, placed, yaw, rng), start.gap
    if placed and mode < start.toppled + start.stacked + start.beside:
        return _beside(body, placed, yaw, start, rng), TOUCHING
    return upright(body, place, yaw), start.gap


def _lying(body: Body, place: np.ndarray, rng: np.random.Generator) -> Placed:
    """On one of its sides; it may come to rest on another."""
    if body.own_upright:
        turn = Rotation.from_euler("zx", [rng.uniform(-np.pi, np.pi), np.pi / 2])
    else:
        quarter = (
            Rotation.from_euler("xy", np.pi / 2 * rng.integers(0, 2, 2)) if rng.random() < 0.5 else Rotation.identity()
        )
        turn = Rotation.from_euler("z", rng.uniform(-np.pi, np.pi)) * quarter
    rotation = turn.as_matrix()
    lowest = body.solid.turned(rotation).lower[2]
    return Placed(body, np.array([*place, -lowest + ABOVE]), rotation)


def _stacked(body: Body, placed: Sequence[Placed], yaw: float, rng: np.random.Generator) -> Placed | None:
    below = int(rng.integers(len(placed)))
    carrier = placed[below]
    inscribed = carrier.body.solid.radii.min()
    if any(other.on == below for other in placed) or inscribed < 0.015:
        return None
    off = rng.uniform(-ON_TOP, ON_TOP, 2) * inscribed
    return upright(body, carrier.position[:2] + off, yaw, carrier.solid.upper[2], below)


def _beside(body: Body, placed: Sequence[Placed], yaw: float, start: Start, rng: np.random.Generator) -> Placed | None:
    """Pushed against another from a drawn direction, until the gap is as drawn."""
    other = placed[int(rng.integers(len(placed)))]
    if other.on >= 0:
        return None
    towards = DIRECTIONS[int(rng.integers(len(DIRECTIONS)))]
    gap = rng.uniform(2 * TOUCHING, NEAR)
    far = body.solid.radius + other.body.solid.radius + NEAR
    for distance in np.arange(far, 0.0, -0.002):
        candidate = upright(body, other.position[:2] + distance * towards, yaw)
        if not apart(candidate, other, gap):
            break
    candidate = upright(body, other.position[:2] + (distance + 0.002) * towards, yaw)
    region = start.region
    within = (candidate.position[:2] >= region.lower).all() and (candidate.position[:2] <= region.upper).all()
    return candidate if within else None


def _free(candidate: Placed, others: Sequence[Placed], gap: float, carrier: int) -> bool:
    """Whether it keeps a gap from all others but the one that carries it."""
    return all(index == carrier or apart(candidate, other, gap) for index, other in enumerate(others))


def _meets(one: Solid, middle: np.ndarray, other: Solid, gap: float) -> bool:
    """Whether corners or places on the edges of one footprint lie on the other, or within the gap."""
    centred = one.moved([-middle[0], -middle[1], 0.0])
    edge = centred.outline + middle[:2]
    points = np.concatenate([edge, one.corners[:, :2], middle[None, :2]])
    return bool(other.inside(points, gap).any())
