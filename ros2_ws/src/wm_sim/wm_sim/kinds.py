"""Kinds of objects as data: what an object of a kind looks like, and what differs from one to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from wm_core.checked_yaml import load_checked
from wm_core.meshes import MeshError, link_shapes
from wm_core.paths import worlds_dir
from wm_core.rotations import rotation_of
from wm_core.solid import Solid, SolidError
from wm_sim.kind_schema import SCHEMA

BULLET_DATA = "pybullet_data://"
TRIES = 20  # to draw an object whose shape is a solid
HEAVIEST = 0.8  # [kg] what an arm still pushes
THINNEST = 0.005  # [m]
WIDEST = 0.2  # [m] what a hand still gets around
MOST_PIECES = 16  # of an object: MAX_COMPOUND_COLLISION_SHAPES of PyBullet
MOST_CORNERS = 64  # of a part; a hull needs no more


class KindError(ValueError):
    """A kind of objects that cannot be used: names the file and the field."""


@dataclass(frozen=True)
class Piece:
    """One convex part as a physics engine has it: a `box` of full extents (3,), a `cylinder` of (radius, height), or a `hull` of corners
    (V, 3); pose of its middle in the object's frame [m].
    """

    shape: str
    size: np.ndarray
    position: np.ndarray
    rotation: np.ndarray  # (3, 3)

    @property
    def solid(self) -> Solid:
        plain = {"box": Solid.box, "hull": lambda corners: Solid((corners,))}
        made = Solid.cylinder(*self.size) if self.shape == "cylinder" else plain[self.shape](self.size)
        return made.turned(self.rotation).moved(self.position)

    def scaled(self, factors: np.ndarray) -> "Piece":
        """Along the object's axes, by (3,); primitives that stand askew or become oval turn into hulls."""
        straight = np.allclose(self.rotation, np.eye(3))
        if straight and self.shape == "box":
            return replace(self, size=self.size * factors, position=self.position * factors)
        if straight and self.shape == "cylinder" and factors[0] == factors[1]:
            return replace(self, size=self.size * factors[1:], position=self.position * factors)
        corners = self.solid.parts[0] * factors
        return Piece("hull", corners, np.zeros(3), np.eye(3))

    def moved(self, offset: np.ndarray) -> "Piece":
        return replace(self, position=self.position + offset)


@dataclass(frozen=True)
class Body:
    """An object that was drawn: SI units, in its frame, whose origin is `Solid.origin`."""

    kind: str
    pieces: tuple[Piece, ...]
    solid: Solid
    mass: float
    friction: float
    centre_of_mass: np.ndarray  # (3,)
    colour: np.ndarray  # (3,) 0..1
    own_upright: bool  # it stands on its bottom; otherwise whichever side it rests on is its bottom


@dataclass(frozen=True, eq=False)
class Kind:
    """A checked file of a kind."""

    name: str
    file: Path
    parts: tuple[Mapping[str, Any], ...]
    scale: Mapping[str, tuple[float, float]]
    density: tuple[float, float]
    friction: tuple[float, float]
    colour: tuple[float, float, float] | None
    own_upright: bool

    def draw(self, rng: np.random.Generator, off_centre: float = 0.0, mass: tuple[float, float] = (1.0, 1.0)) -> Body:
        """An object of this kind. `off_centre`: its centre of mass is up to this share of its half extents from the middle. `mass`:
        range of a factor.
        """
        fault = ""
        for _ in range(TRIES):
            try:
                return self._drawn(rng, off_centre, rng.uniform(*mass))
            except SolidError as error:  # a random mesh that is flat
                fault = str(error)
        raise KindError(f"{self.file}: parts: {fault}")

    def _drawn(self, rng: np.random.Generator, off_centre: float, mass: float) -> Body:
        pieces = [piece for part in self.parts for piece in self._pieces(part, rng)]
        if len(pieces) > MOST_PIECES:
            raise SolidError(
                f"expected at most {MOST_PIECES} convex pieces, got {len(pieces)}: the physics engine crashes with more"
            )
        factors = self._factors(rng)
        pieces = [piece.scaled(factors) for piece in pieces]
        solid = Solid.joined(piece.solid for piece in pieces)
        offset = -solid.origin
        pieces, solid = [piece.moved(offset) for piece in pieces], solid.moved(offset)
        if solid.size.min() < THINNEST or solid.size.max() > WIDEST:
            raise SolidError(
                f"expected an object of {1000 * THINNEST:.0f} to {1000 * WIDEST:.0f} mm, got {np.round(1000 * solid.size)} mm"
            )
        centre = solid.centroid + off_centre * rng.uniform(-1, 1, 3) * [1, 1, 0.5] * solid.size / 2
        return Body(
            self.name,
            tuple(pieces),
            solid,
            min(mass * rng.uniform(*self.density) * solid.volume, HEAVIEST),
            rng.uniform(*self.friction),
            centre,
            np.array(self.colour if self.colour is not None else rng.uniform(0.05, 0.95, 3)),
            self.own_upright,
        )

    def _factors(self, rng: np.random.Generator) -> np.ndarray:
        factors = np.ones(3)
        for axes, span in sorted(self.scale.items()):
            factor = rng.uniform(*span)
            for axis in "xyz" if axes == "all" else axes:
                factors["xyz".index(axis)] *= factor
        return factors

    def _pieces(self, part: Mapping[str, Any], rng: np.random.Generator) -> list[Piece]:
        rotation = rotation_of(part.get("rpy_deg", [0, 0, 0]))
        position = np.array(part.get("position", [0, 0, 0]), float)
        shape = part["shape"]
        if shape == "box":
            return [Piece("box", np.array(part["size"], float), position, rotation)]
        if shape == "cylinder":
            return [Piece("cylinder", np.array([part["radius"], part["height"]], float), position, rotation)]
        if shape == "hull":
            corners = [_points_on(rng, part["points"]) * np.array(part["size"]) / 2]
        elif shape == "corners":
            corners = [np.array(part["corners"], float)]
        else:
            corners = [points * part.get("scale", 1.0) for points in self._read(part, rng)]
        return [Piece("hull", points @ rotation.T + position, np.zeros(3), np.eye(3)) for points in corners]

    def _read(self, part: Mapping[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
        """Corners (V, 3) of each convex piece of a mesh or of a URDF's links."""
        name = part["file"]
        if "numbers" in part:
            name = name.format(number=int(rng.integers(part["numbers"][0], part["numbers"][1] + 1)))
        file = self._found(name)
        try:
            found = obj_pieces(file) if part["shape"] == "mesh" else _urdf_pieces(file)
        except (MeshError, OSError, ValueError) as error:
            raise KindError(f"{self.file}: parts: {error}") from error
        pieces = [_fewer(points) for points in found if np.isfinite(points).all()]
        if not pieces:
            raise SolidError(f"expected a mesh with finite corners, got none in {file}")
        return pieces

    def _found(self, name: str) -> Path:
        if not name.startswith(BULLET_DATA):
            return self.file.parent / name
        try:
            import pybullet_data
        except ImportError as error:
            raise KindError(
                f"{self.file}: parts: expected pybullet_data, which comes with pybullet: {error}"
            ) from error
        return Path(pybullet_data.getDataPath()) / name.removeprefix(BULLET_DATA)


def kinds_dir() -> Path:
    """Folder of the files of kinds."""
    return worlds_dir().parent / "objects"


def load_kind(name_or_path: str | Path) -> Kind:
    """A kind by name (sim_worlds/objects/NAME.yaml) or by path; raises KindError naming file and field."""
    file = Path(name_or_path).expanduser()
    if file.suffix not in (".yaml", ".yml"):
        file = kinds_dir() / f"{name_or_path}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in kinds_dir().glob("*.yaml")))
        raise KindError(f"expected a kind of objects, {file} does not exist; known kinds: {known}")
    data = load_checked(file, SCHEMA, KindError)
    scale = {axes: _span(file, f"scale.{axes}", pair) for axes, pair in data.get("scale", {}).items()}
    return Kind(
        file.stem,
        file,
        tuple(data["parts"]),
        scale,
        _span(file, "density", data["density"]),
        _span(file, "friction", data["friction"]),
        tuple(data["colour"]) if "colour" in data else None,
        data.get("own_upright", False),
    )


def _span(file: Path, field: str, pair: Sequence[float]) -> tuple[float, float]:
    low, high = pair
    if low > high:
        raise KindError(f"{file}: {field}: expected lower <= upper, got {list(pair)}")
    return float(low), float(high)


def _points_on(rng: np.random.Generator, count: int) -> np.ndarray:
    """Points (count, 3) on the unit sphere."""
    points = rng.normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def obj_pieces(file: Path) -> list[np.ndarray]:
    """Corners (V, 3) of each object or group of an OBJ file."""
    pieces: list[list[list[float]]] = [[]]
    for line in file.read_text(errors="replace").splitlines():
        if line.startswith(("o ", "g ")) and pieces[-1]:
            pieces.append([])
        elif line.startswith("v "):
            pieces[-1].append([float(number) for number in line.split()[1:4]])
    return [np.array(points, float) for points in pieces if len(points) >= 4]


def _urdf_pieces(file: Path) -> list[np.ndarray]:
    """Of all links' collision shapes, each in its link's frame; for objects of one link."""
    root = ElementTree.parse(file).getroot()
    pieces: list[np.ndarray] = []
    for mesh in root.iter("mesh"):
        mesh.set("filename", str(file.parent / mesh.get("filename", "")))
    links = [link.get("name", "") for link in root.findall("link")]
    for element in root.iter("collision"):
        for mesh in element.iter("mesh"):
            scale = np.array([float(number) for number in mesh.get("scale", "1 1 1").split()])
            pieces += [points * scale for points in obj_pieces(Path(mesh.get("filename", "")))]
    if pieces:
        return pieces
    return [
        shape.vertices @ shape.pose[:3, :3].T + shape.pose[:3, 3]
        for shape in link_shapes(ElementTree.tostring(root, encoding="unicode"), links, "collision")
    ]


def _fewer(points: np.ndarray) -> np.ndarray:
    """The corners of the hull; of very many those that reach farthest along even directions."""
    if len(points) <= MOST_CORNERS:
        return points
    index = np.arange(MOST_CORNERS) + 0.5  # Fibonacci's sphere
    polar, turn = np.arccos(1 - 2 * index / MOST_CORNERS), np.pi * (1 + 5**0.5) * index
    directions = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], -1)
    return points[np.unique(np.argmax(points @ directions.T, axis=0))]
