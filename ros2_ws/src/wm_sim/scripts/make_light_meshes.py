"""Makes urdf/meshes: the Panda of pybullet_data (Apache-2.0, Franka Emika), clustered so that TinyRenderer keeps up.

python scripts/make_light_meshes.py
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import open3d
import pybullet_data

SOURCE = Path(pybullet_data.getDataPath()) / "franka_panda/meshes"
TARGET = Path(__file__).resolve().parents[1] / "urdf/meshes"
# Cluster size [m]: parts near the table are finer, perception and pushing see them.
MESHES = {
    "link0": ("collision/link0", 0.012),
    "link1": ("visual/link1", 0.026),
    "link2": ("visual/link2", 0.026),
    "link3": ("visual/link3", 0.026),
    "link4": ("visual/link4", 0.026),
    "link5": ("visual/link5", 0.026),
    "link6": ("visual/link6", 0.022),
    "link7": ("collision/link7", 0.010),
    "hand": ("visual/hand", 0.010),
    "finger": ("visual/finger", 0.004),
}
CYLINDER_SIDES = 32


def robot_meshes() -> Iterable[tuple[str, np.ndarray, np.ndarray]]:
    """Name, vertices (V, 3) [m] and triangles (T, 3)."""
    for name, (source, size) in MESHES.items():
        mesh = open3d.io.read_triangle_mesh(str(SOURCE / f"{source}.obj"))
        mesh = mesh.simplify_vertex_clustering(size).remove_degenerate_triangles().remove_duplicated_triangles()
        yield name, np.asarray(mesh.vertices), np.asarray(mesh.triangles)


def unit_cylinder() -> tuple[str, np.ndarray, np.ndarray]:
    """Radius and height 1 m about z: TinyRenderer draws primitive cylinders as blobs."""
    n = CYLINDER_SIDES
    angles = 2 * np.pi * np.arange(n) / n
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    vertices = np.vstack([np.c_[ring, np.full(n, -0.5)], np.c_[ring, np.full(n, 0.5)], [[0, 0, -0.5], [0, 0, 0.5]]])
    i, j = np.arange(n), (np.arange(n) + 1) % n
    bottom, top = np.full(n, 2 * n), np.full(n, 2 * n + 1)
    triangles = np.stack([[i, j, j + n], [i, j + n, i + n], [j, i, bottom], [i + n, j + n, top]]).transpose(2, 0, 1)
    return "unit_cylinder", vertices, triangles.reshape(-1, 3)


def write(name: str, vertices: np.ndarray, triangles: np.ndarray) -> None:
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in triangles + 1]
    (TARGET / f"{name}.obj").write_text("\n".join(lines) + "\n")
    print(f"{name}: {len(triangles)} triangles")


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    for mesh in (*robot_meshes(), unit_cylinder()):
        write(*mesh)
