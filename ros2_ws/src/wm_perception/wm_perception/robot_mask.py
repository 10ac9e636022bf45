"""Where the robot is: oriented boxes around its links, from the shapes of its description and the joint angles."""

import numpy as np

from wm_core.kinematics import Kinematics
from wm_core.meshes import Shape, link_shapes
from wm_core.rotations import parts_of, pose_of
from wm_perception.bev import Box


class RobotMask:
    """Boxes that contain the links of the profile's mask, with its margins; gripper closed."""

    def __init__(self, kinematics: Kinematics) -> None:
        """Raises MeshError for a link that is not in the description or a mesh that cannot be read."""
        self._kinematics = kinematics
        self._links: list[str] = []
        self._local: list[Box] = []
        for part in kinematics.robot.mask:
            for shape in link_shapes(kinematics.description, part.links):
                pose, half = bounding_box(shape)
                self._links.append(shape.link)
                self._local.append((pose, half + part.margin))

    def boxes(self, q: np.ndarray) -> list[Box]:
        """Oriented boxes (pose (4, 4) in the table frame, half extents (3,) [m]) at joint angles (n,) [rad]."""
        poses = self._kinematics.link_poses(self._links, q)
        return [(link @ local, half) for link, (local, half) in zip(poses, self._local, strict=True)]


def bounding_box(shape: Shape) -> Box:
    """The smallest box along a shape's own axes, in its link's frame."""
    lower, upper = shape.vertices.min(0), shape.vertices.max(0)
    rotation, origin = parts_of(shape.pose)
    return pose_of(rotation, origin + rotation @ ((lower + upper) / 2)), (upper - lower) / 2
