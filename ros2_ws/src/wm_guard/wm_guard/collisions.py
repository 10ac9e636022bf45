"""How near the arm is to itself, to the table and to objects, and how fast it may go on from there.

Distances between convex hulls, by pinocchio and coal. A link is what its `collision` shapes say, or its `visual` ones where it has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import coal
import numpy as np
import pinocchio

from wm_core.kinematics import Kinematics
from wm_core.meshes import Shape, link_shapes
from wm_core.robot import HalfSpace, KeepOutBox, RobotError

TABLE = "table"
SAMPLES = 200  # poses of the arm by which pairs are left out that touch in most of them
MOSTLY = 0.5
SLOW = 4.0  # times the margin: from there on the arm is slowed
APPROACH = 1e-4  # [m] by which a distance must shrink to count as an approach
_BODY = pinocchio.FrameType.BODY


@dataclass(frozen=True)
class Box:
    """A believed object: `pose` (4, 4) in the table frame, full extents `size` (3,) [m]."""

    name: str
    pose: np.ndarray
    size: np.ndarray


@dataclass(frozen=True)
class Approach:
    """The two bodies that ask for the slowest motion. `scale`: share of the speed, 0: no further; `distance` [m]: where it ends."""

    scale: float
    distance: float
    bodies: tuple[str, str]


class Collisions:
    """Distances of all pairs of bodies that must not touch. Poses are in the table frame.

    Left out are pairs that no command brings apart: neighbours along the arm, and what touches at home or in most poses, as in MoveIt's
    setup assistant. Bodies that are near each other at home may come half as near,
    slowed from three quarters on. The tool may touch objects.
    """

    def __init__(
        self,
        kinematics: Kinematics,
        *,
        margin: float = 0.01,
        table_margin: float = 0.003,
        slots: int = 8,
    ) -> None:
        """`margin` [m]: kept between links, to objects and to what the profile keeps out; `table_margin` [m]: between tool and table.
        Nearer than SLOW times as much the arm is slowed. `slots`: how many objects there may be. Raises MeshError for a mesh that cannot
        be read, RobotError for a home that lies in what is kept out.
        """
        self._model = kinematics.model
        self._data = self._model.createData()
        self._bodies = pinocchio.GeometryModel()
        self._names: list[str] = []
        tool = self._model.frames[self._model.getFrameId(kinematics.robot.tool.link)].parentJoint
        links = self._add_links(kinematics.description)
        table = self._add(TABLE, 0, coal.Halfspace(np.array([0.0, 0.0, 1.0]), 0.0))
        fixed = [table, *(self._add(zone.name, 0, *_solid(zone)) for zone in kinematics.robot.keep_out)]
        self._keep_apart(links, fixed, kinematics)
        home = self._all(kinematics.robot.home.joints)
        on_tool = [{b, self._joint(a)} == {table, tool} for a, b in self._pairs()]
        self._margin = np.minimum(np.where(on_tool, table_margin, margin), home / 2)
        self._slow = np.minimum(SLOW * self._margin, 0.75 * home)
        self._slots = [self._add("", 0, coal.Box(0.01, 0.01, 0.01)) for _ in range(slots)]
        others = [link for link in links if self._joint(link) not in (0, tool)]
        for slot in self._slots:
            for link in others:
                self._bodies.addCollisionPair(pinocchio.CollisionPair(link, slot))
        self._per_slot = len(others)
        self._margin = np.append(self._margin, np.full(slots * len(others), margin))
        self._slow = np.append(self._slow, np.full(slots * len(others), SLOW * margin))
        self.place([])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names of the bodies of each pair that is looked at now."""
        return [(self._names[a], self._names[b]) for a, b in self._pairs()[: self._looked_at]]

    def place(self, objects: Sequence[Box]) -> None:
        """The objects that are believed now; those beyond the slots are not looked at."""
        objects = objects[: len(self._slots)]
        for slot, item in zip(self._slots, objects, strict=False):
            body = self._bodies.geometryObjects[slot]
            body.placement = pinocchio.SE3(np.asarray(item.pose, float))
            body.geometry = coal.Box(*map(float, item.size))
            self._names[slot] = item.name
        empty = len(self._slots) - len(objects)
        self._looked_at = len(self._margin) - empty * self._per_slot
        self._found = self._bodies.createData()
        for pair in range(self._looked_at, len(self._margin)):
            self._found.deactivateCollisionPair(pair)

    def distances(self, q: np.ndarray) -> np.ndarray:
        """Distance [m] of each of `pairs` with the joints at `q` (n,) [rad]; negative: how deep they are in each other."""
        return self._all(q)[: self._looked_at]

    def approach(self, here: np.ndarray, *there: np.ndarray) -> Approach:
        """How fast the arm may go from joints `here` (n,) by way of, and to rest at, joints `there` (n,) [rad].

        Only what comes nearer counts: an arm that is too near may always go away.
        """
        before, after = self.distances(here), np.array([self.distances(q) for q in there])
        margin, slow = self._margin[: self._looked_at], self._slow[: self._looked_at]
        scales = np.clip((after - margin) / np.maximum(slow - margin, 1e-6), 0.0, 1.0)
        scales[after >= before - APPROACH] = 1.0
        at, worst = np.unravel_index(int(scales.argmin()), scales.shape)
        pair = self._bodies.collisionPairs[int(worst)]
        return Approach(
            float(scales[at, worst]), float(after[at, worst]), (self._names[pair.first], self._names[pair.second])
        )

    # -- inside --------------------------------------------------------------------------------------------------

    def _add_links(self, description: str) -> list[int]:
        added = []
        for frame in (frame for frame in self._model.frames if frame.type == _BODY):
            solid = link_shapes(description, [frame.name], "collision")
            for shape in solid or link_shapes(description, [frame.name], "visual"):
                pose = frame.placement * pinocchio.SE3(shape.pose)
                added.append(self._add(frame.name, frame.parentJoint, _hull(shape), pose))
        return added

    def _add(self, name: str, joint: int, geometry: coal.CollisionGeometry, pose: pinocchio.SE3 | None = None) -> int:
        index = self._bodies.ngeoms
        at = pinocchio.SE3.Identity() if pose is None else pose
        self._bodies.addGeometryObject(pinocchio.GeometryObject(f"{index} {name}", joint, at, geometry))
        self._names.append(name)
        return index

    def _joint(self, body: int) -> int:
        return int(self._bodies.geometryObjects[body].parentJoint)

    def _pairs(self) -> list[tuple[int, int]]:
        return [(pair.first, pair.second) for pair in self._bodies.collisionPairs]

    def _keep_apart(self, links: Sequence[int], fixed: Sequence[int], kinematics: Kinematics) -> None:
        """Add the pairs of links, and of links and what is fixed, that commands can bring apart; the table is the first of `fixed`."""
        pairs = [(a, b) for i, a in enumerate(links) for b in links[i + 1 :] if not self._neighbours(a, b)]
        pairs += [(link, other) for other in fixed for link in links if self._joint(link)]
        for pair in pairs:
            self._bodies.addCollisionPair(pinocchio.CollisionPair(*pair))
        self._found = self._bodies.createData()
        anywhere = np.random.default_rng(0).uniform(kinematics.lower, kinematics.upper, (SAMPLES, self._model.nq))
        touching = [self._all(q) <= 0 for q in (kinematics.robot.home.joints, *anywhere)]
        left_out = touching[0] | (np.mean(touching, axis=0) > MOSTLY)
        for pair, at_home, out in zip(pairs, touching[0], left_out, strict=True):
            if at_home and pair[1] in fixed[1:]:
                raise RobotError(
                    f"{kinematics.robot.file}: keep_out: expected '{self._names[pair[1]]}' clear of the arm at home,"
                    f" '{self._names[pair[0]]}' is in it"
                )
            if out and pair[1] not in fixed[1:]:
                self._bodies.removeCollisionPair(pinocchio.CollisionPair(*pair))
        self._found = self._bodies.createData()

    def _neighbours(self, a: int, b: int) -> bool:
        a, b = self._joint(a), self._joint(b)
        return a == b or self._model.parents[a] == b or self._model.parents[b] == a

    def _all(self, q: np.ndarray) -> np.ndarray:
        pinocchio.computeDistances(self._model, self._data, self._bodies, self._found, np.asarray(q, float))
        return np.array([result.min_distance for result in self._found.distanceResults])


def _solid(zone: HalfSpace | KeepOutBox) -> tuple[coal.CollisionGeometry, pinocchio.SE3]:
    if isinstance(zone, HalfSpace):
        return coal.Halfspace(zone.normal, zone.offset), pinocchio.SE3.Identity()
    return coal.Box(*map(float, zone.size)), pinocchio.SE3(zone.pose)


def _hull(shape: Shape) -> coal.ConvexBase:
    """The convex hull of a shape, in its own frame."""
    mesh = coal.BVHModelOBBRSS()
    mesh.beginModel(len(shape.triangles), len(shape.vertices))
    mesh.addVertices(np.asarray(shape.vertices, float))
    mesh.addTriangles(np.asarray(shape.triangles, int))
    mesh.endModel()
    mesh.buildConvexHull(True, "Qt")
    return mesh.convex
