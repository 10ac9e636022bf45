"""Primitive parts as PyBullet wants them: arguments of createCollisionShapeArray and createVisualShapeArray."""

from collections.abc import Sequence

from wm_core.paths import sim_meshes_dir
from wm_description.physics import pybullet
from wm_sim.world import Part


def positions(parts: Sequence[Part], scale: float = 1.0) -> list[list[float]]:
    """Where the parts are in the body's frame [m]."""
    return [[scale * p for p in part.position] for part in parts]


def shapes(parts: Sequence[Part], scale: float = 1.0) -> dict[str, list]:
    """Arguments of createCollisionShapeArray."""
    boxes = [part.shape == "box" for part in parts]
    return {
        "shapeTypes": [pybullet.GEOM_BOX if box else pybullet.GEOM_CYLINDER for box in boxes],
        "halfExtents": [
            [scale * s / 2 for s in part.size] if box else [0, 0, 0] for part, box in zip(parts, boxes, strict=True)
        ],
        "radii": [0 if box else scale * part.size[0] for part, box in zip(parts, boxes, strict=True)],
        "lengths": [0 if box else scale * part.size[1] for part, box in zip(parts, boxes, strict=True)],
    }


def looks(parts: Sequence[Part], scale: float = 1.0) -> dict[str, list]:
    """Arguments of createVisualShapeArray. Cylinders are meshes: TinyRenderer draws primitive ones as blobs."""
    boxes = [part.shape == "box" for part in parts]
    return {
        "shapeTypes": [pybullet.GEOM_BOX if box else pybullet.GEOM_MESH for box in boxes],
        "halfExtents": [
            [scale * s / 2 for s in part.size] if box else [0, 0, 0] for part, box in zip(parts, boxes, strict=True)
        ],
        "fileNames": ["" if box else str(sim_meshes_dir() / "unit_cylinder.obj") for box in boxes],
        "meshScales": [
            [1, 1, 1] if box else [scale * part.size[0], scale * part.size[0], scale * part.size[1]]
            for part, box in zip(parts, boxes, strict=True)
        ],
    }
