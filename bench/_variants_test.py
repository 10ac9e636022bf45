"""A robot that is renamed and turned is the same arm."""

import math
from pathlib import Path

import numpy as np
from _variants import turned

from wm_core.kinematics import Kinematics
from wm_core.robot import DEFAULT_ROBOT, load_robot


def test_a_turned_robot_has_other_names_and_reaches_the_same_poses(tmp_path: Path):
    robot, other = load_robot(DEFAULT_ROBOT), load_robot(turned(DEFAULT_ROBOT, tmp_path / "turned"))
    assert not {*robot.joints, robot.tool.link, robot.base_frame} & {*other.joints, other.tool.link, other.base_frame}
    assert not {link for part in robot.mask for link in part.links} & {
        link for part in other.mask for link in part.links
    }
    arm, same = Kinematics(robot), Kinematics(other)
    quarter = np.eye(len(robot.joints))[0] * math.pi / 2
    for offset in (0.0, 0.2, -0.3):
        q = robot.home.joints + offset
        position, rotation = arm.fk(q)
        turned_position, turned_rotation = same.fk(q - quarter)
        np.testing.assert_allclose(turned_position, position, atol=1e-9)
        np.testing.assert_allclose(turned_rotation, rotation, atol=1e-9)
