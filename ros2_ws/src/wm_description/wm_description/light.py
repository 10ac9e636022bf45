"""Light copies of robot descriptions: meshes clustered to centimetres, so that the simulator draws them at camera rate."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import chain, count
from pathlib import Path

import numpy as np

from wm_core.meshes import read_mesh
from wm_core.robot_description import resolve

CLUSTER = 0.012  # [m] edge of the cells whose vertices become one
KEPT = ("link", "joint", "material")  # of a URDF; what is for Gazebo and ros2_control is left out


def light_copy(source: Path, target: Path, cluster: float = CLUSTER) -> int:
    """Write the URDF `source` to `target` with light OBJ meshes in the folder `meshes` beside it; returns their triangles.

    What is seen is also what collides. Meshes have the names of their links: files of several folders may have the same.
    `package://` URIs are looked up among the built packages and, as `package://NAME/PATH`, in the folders above `source`. Raises
    MeshError for a mesh that cannot be read.
    """
    root = ElementTree.parse(source).getroot()
    for element in [child for child in root if child.tag not in KEPT]:
        root.remove(element)
    folder = target.parent / "meshes"
    triangles, names = 0, set[str]()
    for link in root.findall("link"):
        meshes = [mesh for visual in link.findall("visual") for mesh in visual.iter("mesh")]
        for number, mesh in enumerate(meshes):
            file = _find(mesh.get("filename", ""), source.parent)
            name = _name(link.get("name", ""), number if len(meshes) > 1 else None, names)
            triangles += write_obj(folder / f"{name}.obj", *cluster_mesh(*read_mesh(file), cluster))
            mesh.set("filename", f"meshes/{name}.obj")
        if meshes:
            _collide_as_seen(link)
    ElementTree.indent(root)
    target.write_text('<?xml version="1.0"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n")
    return triangles


def cluster_mesh(vertices: np.ndarray, triangles: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """The mesh with all vertices within a cell of `size` [m] made one."""
    import open3d

    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices), open3d.utility.Vector3iVector(triangles)
    )
    mesh = mesh.merge_close_vertices(1e-5)
    mesh = mesh.simplify_vertex_clustering(size).remove_degenerate_triangles().remove_duplicated_triangles()
    mesh = mesh.remove_unreferenced_vertices()
    return np.asarray(mesh.vertices), np.asarray(mesh.triangles)


def write_obj(file: Path, vertices: np.ndarray, triangles: np.ndarray) -> int:
    """Write a mesh to a tenth of a millimetre; returns its triangles."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in triangles + 1]
    file.write_text("\n".join(lines) + "\n")
    return len(triangles)


def _name(link: str, number: int | None, taken: set[str]) -> str:
    """A new file name for a mesh of a link, which is added to those that are taken."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", link) + ("" if number is None else f"_{number}")
    name = next(name for name in chain([plain], (f"{plain}_{i}" for i in count(2))) if name.lower() not in taken)
    taken.add(name.lower())
    return name


def _find(uri: str, folder: Path) -> Path:
    """A mesh of a description that need not belong to a built package."""
    path = resolve(uri, folder)
    if uri.startswith("package://") and not path.is_file():
        package, _, inside = uri.removeprefix("package://").partition("/")
        candidates = [base / rest for base in (folder, *folder.parents) for rest in (f"{package}/{inside}", inside)]
        return next((candidate for candidate in candidates if candidate.is_file()), path)
    return path


def _collide_as_seen(link: ElementTree.Element) -> None:
    for collision in link.findall("collision"):
        link.remove(collision)
    for visual in link.findall("visual"):
        collision = ElementTree.SubElement(link, "collision")
        collision.extend(child for child in visual if child.tag in ("origin", "geometry"))
