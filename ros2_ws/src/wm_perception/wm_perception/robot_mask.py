"""Where the robot is: oriented boxes around its links, from the meshes of its description and the joint angles."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wm_core.kinematics import Kinematics
from wm_core.paths import urdf_path
from wm_perception.bev import Box

# The links that come near the table.
HAND = ("panda_hand", "panda_leftfinger", "panda_rightfinger")
LINKS = ("panda_link4", "panda_link5", "panda_link6", "panda_link7", *HAND)
MARGIN = 0.008  # [m] around a link: calibration and joint errors
HAND_MARGIN = 0.003  # [m] hand and fingers touch the object or pass close over it: more would cut it away


class RobotMask:
    """Boxes that contain the moving links; gripper closed."""

    def __init__(self, kinematics: Kinematics, links: Sequence[str] = LINKS, urdf: Path | None = None) -> None:
        self._kinematics = kinematics
        self._links: list[str] = []
        self._local: list[Box] = []
        for link, (pose, half) in mesh_boxes(urdf or urdf_path(), links):
            margin = HAND_MARGIN if link in HAND else MARGIN
            self._links.append(link)
            self._local.append((pose, half + margin))

    def boxes(self, q: np.ndarray) -> list[Box]:
        """Oriented boxes (pose (4, 4) in the base frame, half extents (3,) [m]) at joint angles (7,) [rad]."""
        poses = self._kinematics.link_poses(self._links, q)
        return [(link @ local, half) for link, (local, half) in zip(poses, self._local, strict=True)]


def mesh_boxes(urdf: Path, links: Sequence[str]) -> list[tuple[str, Box]]:
    """Bounding boxes of the links' visual OBJ meshes, in link frames."""
    result = []
    elements = {link.get("name"): link for link in ElementTree.parse(urdf).getroot().findall("link")}
    for name in links:
        if name not in elements:
            raise ValueError(f"{urdf}: expected a link '{name}', found {sorted(filter(None, elements))}")
        for visual in elements[name].findall("visual"):
            mesh = visual.find("geometry/mesh")
            if mesh is None:
                continue
            vertices = _vertices(urdf.parent / str(mesh.get("filename")).removeprefix("package://"))
            lower, upper = vertices.min(0), vertices.max(0)
            pose = _origin(visual)
            pose[:3, 3] += pose[:3, :3] @ ((lower + upper) / 2)
            result.append((name, (pose, (upper - lower) / 2)))
    return result


def _vertices(file: Path) -> np.ndarray:
    lines = [line.split()[1:4] for line in file.read_text().splitlines() if line.startswith("v ")]
    if not lines:
        raise ValueError(f"{file}: expected an OBJ mesh with vertices, found none")
    return np.array(lines, float)


def _origin(visual: ElementTree.Element) -> np.ndarray:
    pose = np.eye(4)
    origin = visual.find("origin")
    if origin is not None:
        roll, pitch, yaw = (float(v) for v in origin.get("rpy", "0 0 0").split())
        cr, sr, cp, sp, cy, sy = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
        pose[:3, :3] = np.array(
            [
                [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                [-sp, cp * sr, cp * cr],
            ]
        )
        pose[:3, 3] = [float(v) for v in origin.get("xyz", "0 0 0").split()]
    return pose
