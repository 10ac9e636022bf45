"""Every shipped robot: its profile, its reach, its home, its pusher, and a few steps of it in the simulator."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.kinematics import Kinematics
from wm_core.meshes import link_shapes
from wm_core.robot import PROFILE, load_robot, robot_names
from wm_core.rotations import rotation_of
from wm_description.check import check_robot
from wm_description.collisions import Collisions
from wm_description.reach import home_joints, tool_speed, try_reach

ROBOTS = robot_names()
SHIPPED_BYTES = 2_000_000


def test_four_robots_are_shipped_and_all_are_small():
    assert {"panda", "xarm6", "iiwa", "ur5e"} <= set(ROBOTS)
    folder = load_robot("panda").file.parents[1]
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < SHIPPED_BYTES


@pytest.mark.parametrize("name", ROBOTS)
def test_its_licence_is_kept_beside_it(name):
    folder = load_robot(name).file.parent
    assert (folder / "LICENSE").stat().st_size > 1000
    assert "LICENSE" in (folder / f"{name}.urdf").read_text() or name == "panda"


@pytest.mark.parametrize("name", ROBOTS)
def test_nothing_is_missing_or_contradictory(name):
    found = check_robot(name)
    assert found.errors == [] and found.warnings == []


@pytest.mark.parametrize("name", ROBOTS)
def test_the_arm_reaches_all_of_its_reach_at_the_height_of_pushing(name):
    kinematics = Kinematics(load_robot(name))
    robot = kinematics.robot
    level = replace(robot.reach, lower=robot.reach.lower.copy(), upper=robot.reach.upper.copy())
    for bound in (level.lower, level.upper):
        bound[2:] = robot.tool.height, 0.0
    kinematics.robot = replace(robot, reach=level)
    found = try_reach(kinematics, home_joints(kinematics), spacing=0.03)
    assert not found.missed
    for (x, y, z, _), q in found.reached.items():
        position, rotation = kinematics.fk(q)
        np.testing.assert_allclose(position, [x, y, z], atol=1e-4)
        np.testing.assert_allclose(rotation, robot.tool.rotation, atol=1e-4)
        assert tool_speed(kinematics, q) > 0.1  # [m/s]


@pytest.mark.parametrize("name", ROBOTS)
def test_at_home_the_arm_touches_neither_itself_nor_the_table(name):
    kinematics = Kinematics(load_robot(name))
    q, collisions = home_joints(kinematics), Collisions(kinematics)
    assert collisions.of_itself(q) == [] and collisions.with_table(q) == []


@pytest.mark.parametrize("name", [name for name in ROBOTS if name != "panda"])
def test_a_pusher_is_as_the_pandas_closed_fingers(name):
    """Below the height of the Panda's palm both have the same outline, so that what was learned with one holds."""
    boxes = [load_robot(robot).tool.boxes for robot in ("panda", name)]
    for attribute in ("position", "size"):
        np.testing.assert_allclose(*(getattr(part[0], attribute) for part in boxes), atol=1e-9)
    palm, rod = (part[1].position[2] + part[1].size[2] / 2 for part in boxes)  # ends towards the tip, z points down
    assert rod == pytest.approx(palm, abs=1e-9)


GRIPPERS = {
    "panda": (["panda_leftfinger", "panda_rightfinger"], ["panda_hand"]),
    "xarm6": (["left_finger", "right_finger"], ["gripper_palm"]),
}


@pytest.mark.parametrize("name", GRIPPERS)
def test_the_profile_says_where_fingers_and_palm_are(name):
    """The boxes of the tool are the collision shapes of its URDF, gripper closed."""
    kinematics = Kinematics(load_robot(name))
    q = home_joints(kinematics)
    tip = np.linalg.inv(kinematics.link_pose(kinematics.robot.tool.link, q))
    for box, links in zip(kinematics.robot.tool.boxes, GRIPPERS[name], strict=True):
        shapes = link_shapes(kinematics.description, links, "collision")
        places = [tip @ kinematics.link_pose(shape.link, q) @ shape.pose for shape in shapes]
        points = np.concatenate(
            [s.vertices @ place[:3, :3].T + place[:3, 3] for s, place in zip(shapes, places, strict=True)]
        )
        np.testing.assert_allclose(points.min(0), box.position - box.size / 2, atol=1e-3)
        np.testing.assert_allclose(points.max(0), box.position + box.size / 2, atol=1e-3)


def test_a_renamed_panda_on_a_turned_base_moves_its_tool_as_the_panda_does(tmp_path):
    text = (load_robot("panda").file.parent / PROFILE).read_text()
    text = text.replace("urdf: panda.urdf", f"urdf: {load_robot('panda').urdf}\nprefix: left_")
    text = text.replace("rpy_deg: [0, 0, 0]}", "rpy_deg: [0, 0, 90]}", 1)
    (tmp_path / PROFILE).write_text(text)
    own, other = Kinematics(load_robot("panda")), Kinematics(load_robot(tmp_path))
    assert other.joint_names == tuple(f"left_{name}" for name in own.joint_names)
    np.testing.assert_allclose(other.link_pose("left_panda_link0", np.ones(7))[:3, :3], rotation_of([0, 0, 90]))
    for x, y in ((0.3, -0.3), (0.5, 0.0), (0.7, 0.3)):
        position = np.array([x, y, own.robot.tool.height])
        for arm in (own, other):
            start = arm.ik(arm.robot.home.position, arm.robot.tool.rotation, arm.robot.home.joints)
            reached, rotation = arm.fk(arm.ik(position, arm.robot.tool.rotation, start))
            np.testing.assert_allclose(reached, position, atol=1e-4)
            np.testing.assert_allclose(rotation, own.robot.tool.rotation, atol=1e-4)
