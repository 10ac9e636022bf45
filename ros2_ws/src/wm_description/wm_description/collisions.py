"""Which parts of a robot touch each other, the table or what its profile keeps out, from the meshes and primitives of its URDF."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import coal
import numpy as np

from wm_core.kinematics import Kinematics
from wm_core.meshes import Shape, link_shapes
from wm_core.robot import HalfSpace, KeepOutBox
from wm_core.rotations import parts_of

TABLE_CLEARANCE = 0.003  # [m] above the table that everything which moves keeps


@dataclass(frozen=True)
class _Solid:
    link: str
    pose: np.ndarray  # (4, 4) in the link's frame
    vertices: np.ndarray  # (V, 3) in its own
    geometry: coal.BVHModelOBBRSS

    @cached_property
    def hull(self) -> coal.ConvexBase:
        self.geometry.buildConvexHull(True, "Qt")
        return self.geometry.convex


class Collisions:
    """Finds collisions of an arm with itself and with the table, at joint angles. Joints other than the arm's are at zero."""

    def __init__(self, kinematics: Kinematics) -> None:
        """What has no collision shapes is judged by what is seen of it. Raises MeshError for meshes that cannot be read."""
        self._kinematics = kinematics
        root = ElementTree.fromstring(kinematics.description)
        parents = {
            joint.find("child").get("link"): (joint.find("parent").get("link"), joint.get("name"))  # type: ignore[union-attr]
            for joint in root.findall("joint")
        }
        links = [link.get("name", "") for link in root.findall("link")]
        arm = set(kinematics.joint_names)
        self._solids = [
            _solid(shape)
            for link in links
            for shape in link_shapes(kinematics.description, [link], "collision")
            or link_shapes(kinematics.description, [link])
        ]
        chains = {link: _moving(link, parents, arm) for link in links}
        self._moving = [bool(chains[solid.link]) for solid in self._solids]
        self._pairs = [
            (i, j)
            for i, j in combinations(range(len(self._solids)), 2)
            if len(chains[self._solids[i].link] ^ chains[self._solids[j].link]) > 1  # neighbours touch at their joint
        ]

    def of_itself(self, q: np.ndarray) -> list[tuple[str, str]]:
        """Pairs of links that touch at joint angles (n,) [rad]; links with one joint between them may."""
        poses = self._poses(q)
        transforms = [coal.Transform3s(*parts_of(pose)) for pose in poses]
        request = coal.CollisionRequest()
        touching = set()
        for i, j in self._pairs:
            result = coal.CollisionResult()
            if coal.collide(
                self._solids[i].geometry, transforms[i], self._solids[j].geometry, transforms[j], request, result
            ):
                touching.add((self._solids[i].link, self._solids[j].link))
        return sorted(touching)

    def with_table(self, q: np.ndarray) -> list[tuple[str, float]]:
        """Moving links that are below or within TABLE_CLEARANCE of the table, and their lowest points [m]."""
        lowest: dict[str, float] = {}
        for solid, moving, pose in zip(self._solids, self._moving, self._poses(q), strict=True):
            if moving:
                z = float((solid.vertices @ pose[2, :3] + pose[2, 3]).min())
                lowest[solid.link] = min(z, lowest.get(solid.link, np.inf))
        return [(link, z) for link, z in lowest.items() if z < TABLE_CLEARANCE]

    def in_keep_out(self, q: np.ndarray) -> list[tuple[str, str]]:
        """Moving links with a part in a zone that the profile keeps out, and its name: by convex hulls, as the guard judges."""
        moving = [(s, pose) for s, moves, pose in zip(self._solids, self._moving, self._poses(q), strict=True) if moves]
        zones = self._kinematics.robot.keep_out
        return [(s.link, zone.name) for zone in zones for s, pose in moving if self._reaches_into(zone, s, pose)]

    def mean_height(self, q: np.ndarray) -> float:
        """Of the middles of all parts that move [m]; high where the elbow is up."""
        poses = zip(self._solids, self._moving, self._poses(q), strict=True)
        return float(np.mean([s.vertices.mean(0) @ pose[2, :3] + pose[2, 3] for s, moving, pose in poses if moving]))

    def _reaches_into(self, zone: HalfSpace | KeepOutBox, solid: _Solid, pose: np.ndarray) -> bool:
        if isinstance(zone, HalfSpace):
            rotation, position = parts_of(pose)
            return bool((solid.vertices @ (rotation.T @ zone.normal) + zone.normal @ position).min() <= zone.offset)
        box, there = coal.Box(*map(float, zone.size)), coal.Transform3s(*parts_of(zone.pose))
        at = coal.Transform3s(*parts_of(pose))
        return bool(coal.collide(solid.hull, at, box, there, coal.CollisionRequest(), coal.CollisionResult()))

    def _poses(self, q: np.ndarray) -> list[np.ndarray]:
        links = self._kinematics.link_poses([solid.link for solid in self._solids], q)
        return [link @ solid.pose for link, solid in zip(links, self._solids, strict=True)]


def _moving(link: str, parents: dict, arm: set[str]) -> frozenset[str]:
    """The arm joints between the root and a link."""
    joints = []
    while link in parents:
        link, joint = parents[link]
        joints.append(joint)
    return frozenset(joint for joint in joints if joint in arm)


def _solid(shape: Shape) -> _Solid:
    model = coal.BVHModelOBBRSS()
    model.beginModel(len(shape.triangles), len(shape.vertices))
    corners, triangles = coal.StdVec_Vec3s(), coal.StdVec_Triangle()
    corners.extend([np.asarray(vertex, float) for vertex in shape.vertices])
    triangles.extend([coal.Triangle(*map(int, corner)) for corner in shape.triangles])
    model.addSubModel(corners, triangles)
    model.endModel()
    return _Solid(shape.link, shape.pose, shape.vertices, model)
