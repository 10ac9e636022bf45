"""Meshes and primitives of a URDF's links as vertices and triangles: OBJ, STL, DAE, boxes, cylinders and spheres."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wm_core.rotations import pose_of

CYLINDER_SIDES = 32


class MeshError(ValueError):
    """A mesh that cannot be read: names the file."""


@dataclass(frozen=True)
class Shape:
    """One visual or collision shape: `pose` (4, 4) in the link's frame, `vertices` (V, 3) [m] in the shape's own.

    `triangles` (T, 3): indices of vertices.
    """

    link: str
    pose: np.ndarray
    vertices: np.ndarray
    triangles: np.ndarray


def link_shapes(description: str, links: Sequence[str], kind: str = "visual") -> list[Shape]:
    """The `visual` or `collision` shapes of links of a URDF whose meshes have absolute paths, in the order of `links`.

    Raises MeshError for a link that is not there or a mesh that cannot be read.
    """
    elements = {link.get("name", ""): link for link in ElementTree.fromstring(description).findall("link")}
    if missing := [link for link in links if link not in elements]:
        raise MeshError(f"expected links {missing} in the URDF, found {sorted(elements)}")
    return [
        Shape(link, _origin(element), *_geometry(element, link))
        for link in links
        for element in elements[link].findall(kind)
    ]


def read_mesh(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (T, 3) of an OBJ, STL or DAE file; metres where the file says its unit."""
    if not file.is_file():
        raise MeshError(
            f"expected a mesh file, {file} does not exist; of a package://PACKAGE in a URDF install that package and source it, or copy"
            " the package's folder beside the URDF"
        )
    try:
        vertices, triangles = _read_obj(file) if file.suffix.lower() == ".obj" else _read_other(file)
    except (RuntimeError, ValueError, IndexError) as error:
        raise MeshError(f"{file}: expected a mesh (OBJ, STL or DAE), got {error}") from error
    if not len(vertices):
        raise MeshError(f"{file}: expected a mesh with vertices, found none")
    return vertices, triangles


def _read_obj(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The numbers as they stand in the file: the reader of the other formats rounds them to 32 bits."""
    vertices, triangles = [], []
    for line in file.read_text(errors="replace").splitlines():
        if line.startswith("v "):
            vertices.append([float(number) for number in line.split()[1:4]])
        elif line.startswith("f "):
            corners = [int(corner.split("/")[0]) for corner in line.split()[1:]]
            corners = [corner - 1 if corner > 0 else len(vertices) + corner for corner in corners]
            triangles += [(corners[0], b, c) for b, c in zip(corners[1:], corners[2:], strict=False)]
    return np.array(vertices, float).reshape(-1, 3), np.array(triangles, int).reshape(-1, 3)


def _read_other(file: Path) -> tuple[np.ndarray, np.ndarray]:
    import coal  # only where such a mesh is read

    mesh = coal.MeshLoader().load(str(file), np.ones(3))
    triangles = [mesh.tri_indices(i) for i in range(mesh.num_tris)]
    return np.array(mesh.vertices()), np.array([[t[0], t[1], t[2]] for t in triangles], int).reshape(-1, 3)


def _geometry(element: ElementTree.Element, link: str) -> tuple[np.ndarray, np.ndarray]:
    mesh, box, cylinder, sphere = (element.find(f"geometry/{tag}") for tag in ("mesh", "box", "cylinder", "sphere"))
    if mesh is not None:
        vertices, triangles = read_mesh(Path(mesh.get("filename", "")))
        return vertices * _floats(mesh.get("scale", "1 1 1")), triangles
    if box is not None:
        return _box(np.array(_floats(box.get("size", "0 0 0"))))
    if cylinder is not None:
        return _cylinder(float(cylinder.get("radius", 0)), float(cylinder.get("length", 0)))
    if sphere is not None:
        return _box(np.full(3, 2 * float(sphere.get("radius", 0))))
    raise MeshError(f"link '{link}': expected a mesh, box, cylinder or sphere")


def _box(size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * size
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, np.array([t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))])


def _cylinder(radius: float, length: float) -> tuple[np.ndarray, np.ndarray]:
    """About z, its middle at the origin."""
    n = CYLINDER_SIDES
    angles = 2 * np.pi * np.arange(n) / n
    ring = radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    low, high = (np.c_[ring, np.full(n, z * length)] for z in (-0.5, 0.5))
    vertices = np.vstack([low, high, [[0, 0, -length / 2], [0, 0, length / 2]]])
    i, j = np.arange(n), (np.arange(n) + 1) % n
    bottom, top = np.full(n, 2 * n), np.full(n, 2 * n + 1)
    triangles = np.stack([[i, j, j + n], [i, j + n, i + n], [j, i, bottom], [i + n, j + n, top]]).transpose(2, 0, 1)
    return vertices, triangles.reshape(-1, 3)


def _floats(text: str) -> list[float]:
    return [float(value) for value in text.split()]


def _origin(element: ElementTree.Element) -> np.ndarray:
    origin = element.find("origin")
    if origin is None:
        return np.eye(4)
    roll, pitch, yaw = _floats(origin.get("rpy", "0 0 0"))
    cr, sr, cp, sp, cy, sy = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    rotation = np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
    return pose_of(rotation, _floats(origin.get("xyz", "0 0 0")))
