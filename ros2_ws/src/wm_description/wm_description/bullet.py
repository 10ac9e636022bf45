"""A robot in PyBullet, where its profile says that it stands."""

import tempfile

from wm_core.kinematics import Kinematics
from wm_core.rotations import parts_of, quaternion_of
from wm_description.physics import BulletClient


def load_arm(client: BulletClient, kinematics: Kinematics) -> tuple[int, dict[str, int]]:
    """Load the robot with its tool; returns the body and the index of each of its joints by name."""
    rotation, position = parts_of(kinematics.T_table_root)
    with tempfile.NamedTemporaryFile("w", suffix=".urdf") as file:  # PyBullet reads files only
        file.write(kinematics.description)
        file.flush()
        body = client.loadURDF(file.name, position.tolist(), quaternion_of(rotation), useFixedBase=True)
    names = (client.getJointInfo(body, joint)[1].decode() for joint in range(client.getNumJoints(body)))
    return body, {name: joint for joint, name in enumerate(names)}


def link_index(client: BulletClient, body: int, link: str) -> int:
    """The index that PyBullet gives to a link; raises ValueError for one that the body does not have."""
    names = [client.getJointInfo(body, joint)[12].decode() for joint in range(client.getNumJoints(body))]
    return names.index(link)
