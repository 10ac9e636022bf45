"""The bodies of a scene in PyBullet, and their frames: whichever side an object without an upright of its own rests on is its bottom."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.paths import sim_meshes_dir
from wm_core.rotations import quaternion_of
from wm_core.solid import Solid
from wm_description.physics import pybullet
from wm_sim.kinds import Body, Piece
from wm_sim.placing import Placed

DAMPING = {"linearDamping": 0.04, "angularDamping": 0.04}
SPINNING, ROLLING = 0.001, 0.0003  # [m] friction against turning on the spot, and against rolling


@dataclass(frozen=True)
class SceneBody:
    """An object in the physics engine. `frame` (3, 3), `offset` (3,): of the object's frame in that of its drawn body."""

    index: int
    body: Body
    solid: Solid  # in the object's frame
    frame: np.ndarray
    offset: np.ndarray

    @staticmethod
    def make(client: Any, placed: Placed) -> "SceneBody":
        body = placed.body
        index = client.createMultiBody(
            baseMass=body.mass,
            baseCollisionShapeIndex=_collision(client, body.pieces),
            baseVisualShapeIndex=_visual(client, body),
            # PyBullet places the frame of the shapes, and reports the centre of mass.
            basePosition=placed.position.tolist(),
            baseOrientation=quaternion_of(placed.rotation),
            baseInertialFramePosition=body.centre_of_mass.tolist(),
        )
        client.changeDynamics(
            index, -1, lateralFriction=body.friction, spinningFriction=SPINNING, rollingFriction=ROLLING, **DAMPING
        )
        return SceneBody(index, body, body.solid, np.eye(3), np.zeros(3))

    def at_rest(self, client: Any) -> "SceneBody":
        """With a frame that stands upright as it rests now; as it is, where it has an upright of its own."""
        if self.body.own_upright:
            return self
        rotation = self._rotation(client)
        heading = np.arctan2(
            rotation[1, 0] - rotation[0, 1], rotation[0, 0] + rotation[1, 1]
        )  # its turn about the vertical
        frame = rotation.T @ Rotation.from_euler("z", heading).as_matrix()
        turned = self.body.solid.turned(frame.T)
        return SceneBody(self.index, self.body, turned.centred(), frame, frame @ turned.origin)

    def pose(self, client: Any) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) [m] and rotation (3, 3) of the object's frame in the table frame."""
        rotation = self._rotation(client)
        mass = np.array(client.getBasePositionAndOrientation(self.index)[0])
        return mass + rotation @ (self.offset - self.body.centre_of_mass), rotation @ self.frame

    def velocity(self, client: Any) -> np.ndarray:
        """Of the object's frame (6,): linear [m/s], angular [rad/s], in the table's axes."""
        linear, angular = (np.array(each) for each in client.getBaseVelocity(self.index))
        arm = self._rotation(client) @ (self.offset - self.body.centre_of_mass)
        return np.concatenate([linear + np.cross(angular, arm), angular])

    def place(
        self, client: Any, position: np.ndarray, rotation: np.ndarray, velocity: np.ndarray | None = None
    ) -> None:
        """The object's frame at a pose, at once; `velocity` (6,): of it, None: at rest."""
        turned = rotation @ self.frame.T
        arm = turned @ (self.offset - self.body.centre_of_mass)
        mass = np.asarray(position) - arm
        client.resetBasePositionAndOrientation(self.index, mass.tolist(), quaternion_of(turned))
        linear, angular = np.zeros(3), np.zeros(3)
        if velocity is not None:
            angular = np.asarray(velocity)[3:]
            linear = np.asarray(velocity)[:3] - np.cross(angular, arm)
        client.resetBaseVelocity(self.index, linear.tolist(), angular.tolist())

    def _rotation(self, client: Any) -> np.ndarray:
        return Rotation.from_quat(client.getBasePositionAndOrientation(self.index)[1]).as_matrix()


def _collision(client: Any, pieces: Sequence[Piece]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return client.createCollisionShapeArray(
            **_shapes(pieces, Path(folder), round_by_mesh=False), **_frames(pieces, "collision")
        )


def _visual(client: Any, body: Body) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return client.createVisualShapeArray(
            **_shapes(body.pieces, Path(folder), round_by_mesh=True),
            **_frames(body.pieces, "visual"),
            rgbaColors=[[*body.colour.tolist(), 1.0]] * len(body.pieces),
        )


def _frames(pieces: Sequence[Piece], kind: str) -> dict[str, list]:
    return {
        f"{kind}FramePositions": [piece.position.tolist() for piece in pieces],
        f"{kind}FrameOrientations": [quaternion_of(piece.rotation) for piece in pieces],
    }


def _shapes(pieces: Sequence[Piece], folder: Path, *, round_by_mesh: bool) -> dict[str, list]:
    """Arguments of createCollisionShapeArray and createVisualShapeArray. TinyRenderer draws primitive cylinders as blobs."""
    shapes = [_shape(piece, folder, number, round_by_mesh) for number, piece in enumerate(pieces)]
    return {name: [getattr(shape, name) for shape in shapes] for name in _Shape._fields}


class _Shape(NamedTuple):
    """Names and order are those of PyBullet's arguments."""

    shapeTypes: int
    halfExtents: list[float] = [0.0] * 3
    radii: float = 0.0
    lengths: float = 0.0
    fileNames: str = ""
    meshScales: list[float] = [1.0] * 3


def _shape(piece: Piece, folder: Path, number: int, round_by_mesh: bool) -> _Shape:
    if piece.shape == "box":
        return _Shape(pybullet.GEOM_BOX, halfExtents=(piece.size / 2).tolist())
    if piece.shape != "cylinder":
        return _Shape(pybullet.GEOM_MESH, fileNames=_written(folder, number, piece))
    radius, height = piece.size.tolist()
    if round_by_mesh:
        unit = str(sim_meshes_dir() / "unit_cylinder.obj")
        return _Shape(pybullet.GEOM_MESH, fileNames=unit, meshScales=[radius, radius, height])
    return _Shape(pybullet.GEOM_CYLINDER, radii=radius, lengths=height)


_count = 0


def _written(folder: Path, number: int, piece: Piece) -> str:
    """An OBJ file of a hull in the piece's own frame, under a name that was never used: PyBullet keeps files by their names."""
    global _count
    _count += 1
    corners, triangles = piece.size, Solid((piece.size,)).hulls[0]
    file = folder / f"{os.getpid()}_{_count}_{number}.obj"
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in corners] + [f"f {a} {b} {c}" for a, b, c in triangles + 1]
    file.write_text("\n".join(lines) + "\n")
    return str(file)
