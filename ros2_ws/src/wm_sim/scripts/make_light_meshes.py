"""Makes urdf/meshes from the Panda of pybullet_data (Apache-2.0, Franka Emika): vertices clustered so that TinyRenderer keeps up.

    python scripts/make_light_meshes.py
"""

from pathlib import Path

import numpy as np
import open3d
import pybullet_data

SOURCE = Path(pybullet_data.getDataPath()) / "franka_panda/meshes"
TARGET = Path(__file__).resolve().parents[1] / "urdf/meshes"
# Cluster size [m]: parts near the table are finer, perception and pushing see them.
MESHES = {
    "link0": ("collision/link0", 0.012), "link1": ("visual/link1", 0.014), "link2": ("visual/link2", 0.014), "link3": ("visual/link3", 0.014),
    "link4": ("visual/link4", 0.014), "link5": ("visual/link5", 0.014), "link6": ("visual/link6", 0.012), "link7": ("collision/link7", 0.010),
    "hand": ("visual/hand", 0.008), "finger": ("visual/finger", 0.004),
}

if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    total = 0
    for name, (source, size) in MESHES.items():
        mesh = open3d.io.read_triangle_mesh(str(SOURCE / f"{source}.obj"))
        mesh = mesh.simplify_vertex_clustering(size).remove_degenerate_triangles().remove_duplicated_triangles()
        vertices, triangles = np.asarray(mesh.vertices), np.asarray(mesh.triangles)
        lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices] + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in triangles]
        (TARGET / f"{name}.obj").write_text("\n".join(lines) + "\n")
        total += len(triangles)
        print(f"{name}: {len(triangles)} triangles")
    print(f"total: {total} triangles")
