"""A robot in PyBullet, where its profile says that it stands."""

import tempfile

from wm_core.kinematics import Kinematics
from wm_core.rotations import quaternion_of
from wm_description.physics import BulletClient


def load_arm(client: BulletClient, kinematics: Kinematics) -> tuple[int, dict[str, int]]:
    """Load the robot with its tool; returns the body and the index of each of its joints by name."""
    pose = kinematics.T_table_root
    with tempfile.NamedTemporaryFile("w", suffix=".urdf") as file:  # PyBullet reads files only
        file.write(kinematics.description)
        file.flush()
        body = client.loadURDF(file.name, pose[:3, 3].tolist(), quaternion_of(pose[:3, :3]), useFixedBase=True)
    names = (client.getJointInfo(body, joint)[1].decode() for joint in range(client.getNumJoints(body)))
    return body, {name: joint for joint, name in enumerate(names)}
