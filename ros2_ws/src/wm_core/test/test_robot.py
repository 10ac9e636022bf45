"""Robot profiles: what a profile says, what is refused, and the URDF that is made of it."""

import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.paths import share
from wm_core.robot import RobotError, load_robot, robot_names
from wm_core.robot_description import describe, joint_problems
from wm_core.rotations import rotation_of

# Two joints and a link to fix a pusher to; the second joint turns without end and says no velocity.
URDF = """<robot name="two">
  <link name="base"/><link name="arm"/><link name="flange"/>
  <joint name="shoulder" type="revolute">
    <parent link="base"/><child link="arm"/><origin xyz="0 0 0.2"/><axis xyz="0 0 1"/>
    <limit lower="-2" upper="2" velocity="1.5" effort="50"/>
  </joint>
  <joint name="wrist" type="continuous">
    <parent link="arm"/><child link="flange"/><origin xyz="0.4 0 0"/><axis xyz="0 0 1"/>
    <limit velocity="0" effort="20"/>
  </joint>
</robot>"""
SHAPE = '<visual><geometry><mesh filename="{}"/></geometry></visual>'
MESHES = "".join(
    SHAPE.format(uri)
    for uri in ("package://wm_description/package.xml", "package://arm_description/meshes/b.stl", "meshes/c.obj")
)
CONTROL = '<ros2_control name="two" type="system"><joint name="shoulder"><command_interface name="position"/></joint></ros2_control>'
PROFILE = {
    "name": "two",
    "urdf": "two.urdf",
    "joints": ["shoulder", "wrist"],
    "base": {"frame": "base", "position": [0.0, 0.0, 0.0], "rpy_deg": [0, 0, 0]},
    "tool": {
        "link": "pusher",
        "mount": {"link": "flange", "position": [0.0, 0.0, -0.1], "rpy_deg": [180, 0, 0]},
        "height": 0.03,
        "rpy_deg": [180, 0, 0],
        "boxes": [{"position": [0.0, 0.0, -0.02], "size": [0.02, 0.03, 0.04]}],
    },
    "home": {"joints": [0.0, 0.0], "tool": [0.4, 0.0]},
    "reach": {"x": [0.2, 0.4], "y": [-0.3, 0.3], "z": [0.03, 0.03], "yaw_deg": [0, 0]},
    "workspace": {"x": [0.1, 0.5], "y": [-0.4, 0.4], "z": [0.01, 0.5]},
    "tool_speed": 0.3,
    "limits": {"position": [[-3.0, 1.0], [-3.0, 3.0]], "velocity": [1.0, 2.0]},
    "mask": [{"links": ["arm", "flange", "pusher"], "margin": 0.005}],
}


@pytest.fixture
def write(tmp_path):
    """Writes the profile with changes, `{"tool.height": 0.1}`, beside the URDF; returns its path."""

    def write(changes: dict | None = None) -> Path:
        data = yaml.safe_load(yaml.safe_dump(PROFILE))
        for field, value in (changes or {}).items():
            *path, last = field.split(".")
            part = data
            for key in path:
                part = part[key]
            if value is None:
                del part[last]
            else:
                part[last] = value
        (tmp_path / "two.urdf").write_text(URDF)
        (tmp_path / "profile.yaml").write_text(yaml.safe_dump(data))
        return tmp_path / "profile.yaml"

    return write


@pytest.mark.parametrize("name", robot_names())
def test_shipped_robots_load_by_name_by_folder_and_by_file(name):
    robot = load_robot(name)
    assert robot.name == name
    assert load_robot(robot.file).joints == load_robot(robot.file.parent).joints == robot.joints


def test_an_unknown_robot_is_refused_with_those_that_are_known():
    with pytest.raises(RobotError, match="known robots: .*panda"):
        load_robot("no_such_robot")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"joints": []}, "joints"),
        ({"tool.height": -0.1}, "tool.height"),
        ({"reach": None}, "'reach' is a required property"),
        ({"colour": "red"}, "colour"),
        ({"reach.x": [0.4, 0.2]}, "reach: expected lower < upper"),
        ({"workspace.z": [0.5, 0.5]}, "workspace: expected lower < upper"),
        ({"home.joints": [0.0]}, "home.joints: expected 2 angles"),
        ({"limits.velocity": [1.0]}, "limits.velocity: expected 2 entries"),
        ({"urdf": {"file": "a"}}, "urdf"),
        ({"gripper": {"joints": ["a"]}}, "gripper"),
    ],
)
def test_what_is_wrong_in_a_profile_is_named(write, changes, problem):
    with pytest.raises(RobotError, match=problem) as refused:
        load_robot(write(changes))
    assert "profile.yaml" in str(refused.value)


def test_a_file_that_is_not_yaml_is_refused(tmp_path):
    (tmp_path / "profile.yaml").write_text("name: [")
    with pytest.raises(RobotError, match="expected YAML"):
        load_robot(tmp_path)


def test_limits_become_tighter_and_stand_in_for_missing_ones(write):
    arm = Kinematics(load_robot(write()))
    np.testing.assert_allclose(arm.lower, [-2.0, -3.0])  # the URDF's -2 is tighter than the profile's -3
    np.testing.assert_allclose(arm.upper, [1.0, 3.0])
    np.testing.assert_allclose(arm.velocity, [1.0, 2.0])
    np.testing.assert_allclose(arm.effort, [50.0, 20.0])


@given(own=st.floats(0.0, 3.0), given_=st.floats(0.1, 3.0), continuous=st.booleans())
def test_the_tighter_range_holds_and_a_range_of_nothing_is_none(own, given_, continuous):
    text = URDF.replace('lower="-2" upper="2"', f'lower="{-own}" upper="{own}"')
    text = text.replace('type="revolute"', 'type="continuous"') if continuous else text
    with tempfile.TemporaryDirectory() as folder:
        data = PROFILE | {"limits": {**PROFILE["limits"], "position": [[-given_, given_], [-3.0, 3.0]]}}
        (Path(folder) / "two.urdf").write_text(text)
        (Path(folder) / "profile.yaml").write_text(yaml.safe_dump(data))
        arm = Kinematics(load_robot(folder))
    wanted = given_ if continuous or own == 0 else min(own, given_)
    assert arm.upper[0] == pytest.approx(wanted) and arm.lower[0] == pytest.approx(-wanted)


def test_joints_that_cannot_be_commanded_are_named(write):
    robot = load_robot(write({"limits": None}))
    with pytest.raises(KinematicsError, match="'wrist': is continuous; give it a range in limits.position"):
        Kinematics(robot)
    robot = load_robot(write({"limits.velocity": None}))
    assert joint_problems(describe(robot), robot.joints) == [
        "joint 'wrist': expected a velocity limit above 0, got 0.0; give limits.velocity"
    ]
    assert "not in the URDF" in joint_problems(describe(robot), ["elbow"])[0]


def test_a_tool_is_fixed_to_an_arm_without_one(write):
    robot = load_robot(write())
    root = ElementTree.fromstring(describe(robot))
    (tool,) = [link for link in root.findall("link") if link.get("name") == "pusher"]
    assert tool.find("collision/geometry/box").get("size") == "0.02 0.03 0.04"
    position, rotation = Kinematics(robot).fk(np.zeros(2))
    np.testing.assert_allclose(position, [0.4, 0.0, 0.1], atol=1e-12)
    np.testing.assert_allclose(rotation, np.diag([1.0, -1.0, -1.0]), atol=1e-12)


def test_tools_that_do_not_fit_the_description_are_refused(write):
    with pytest.raises(RobotError, match="'hand' is not in the URDF"):
        describe(load_robot(write({"tool.mount.link": "hand"})))
    with pytest.raises(RobotError, match="'arm' is in the URDF already"):
        describe(load_robot(write({"tool.link": "arm"})))


def test_a_prefix_is_put_before_all_names(write):
    robot = load_robot(write({"prefix": "left_"}))
    assert robot.joints == ("left_shoulder", "left_wrist") and robot.tool.link == "left_pusher"
    arm = Kinematics(robot)
    assert arm.joint_names == ("left_shoulder", "left_wrist")
    already = describe(robot).replace('"left_pusher"', '"left_old"').replace("left_pusher_", "left_old_")
    np.testing.assert_array_equal(Kinematics(robot.published(already)).fk(np.ones(2))[0], arm.fk(np.ones(2))[0])


def test_poses_are_in_the_table_frame(write):
    turned = {"base.position": [1.0, 2.0, 0.3], "base.rpy_deg": [0, 0, 90]}
    own, placed = Kinematics(load_robot(write())), Kinematics(load_robot(write(turned)))
    q = np.array([0.3, 0.2])
    (position, rotation), (own_position, own_rotation) = placed.fk(q), own.fk(q)
    np.testing.assert_allclose(position, [1 - own_position[1], 2 + own_position[0], 0.3 + own_position[2]])
    np.testing.assert_allclose(rotation, rotation_of([0, 0, 90]) @ own_rotation, atol=1e-12)
    np.testing.assert_allclose(placed.jacobian(q)[:3], rotation_of([0, 0, 90]) @ own.jacobian(q)[:3], atol=1e-12)
    np.testing.assert_allclose(placed.link_pose("base", q), load_robot(write(turned)).T_table_base, atol=1e-12)


def test_a_description_may_come_from_a_topic(write):
    robot = load_robot(write({"urdf": {"topic": "robot_description"}}))
    assert robot.urdf == "" and robot.urdf_topic == "robot_description"
    said = r"comes on the topic 'robot_description', .*write it down once, .* > .*/robot.urdf; and write urdf: robot.urdf into"
    with pytest.raises(RobotError, match=said):  # of whoever reads a recording
        describe(robot)
    assert Kinematics(robot.published(URDF)).joint_names == ("shoulder", "wrist")
    with pytest.raises(RobotError, match="XML"):
        describe(robot.published("nonsense"))
    with pytest.raises(RobotError, match="run xacro"):
        describe(robot.published("<model/>"))


def test_a_published_description_is_written_down_beside_the_profile(write, tmp_path):
    """As `ros2 param get` writes it: with what is for ros2_control, and meshes in a package that is installed, or copied beside."""
    published = f"""<?xml version="1.0" ?>
    <!-- made by xacro -->
    {URDF.replace('<link name="arm"/>', f'<link name="arm">{MESHES}</link>').replace("</robot>", f"{CONTROL}</robot>")}"""
    (tmp_path / "robot.urdf").write_text(f"{published}\n")
    for name in ("arm_description/meshes/b.stl", "meshes/c.obj"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    written, heard = (
        load_robot(write({"urdf": "robot.urdf"})),
        load_robot(write({"urdf": {"topic": "robot_description"}})),
    )
    q = np.array([0.3, -0.2])
    np.testing.assert_array_equal(Kinematics(written).fk(q)[0], Kinematics(heard.published(published)).fk(q)[0])
    found = [mesh.get("filename") for mesh in ElementTree.fromstring(describe(written)).iter("mesh")]
    installed = share("wm_description") / "package.xml"
    assert found == [str(installed), str(tmp_path / "arm_description/meshes/b.stl"), str(tmp_path / "meshes/c.obj")]


def test_a_missing_description_is_refused(write):
    with pytest.raises(RobotError, match="cannot read .*nowhere.urdf"):
        describe(load_robot(write({"urdf": "nowhere.urdf"})))


def test_joints_must_come_in_the_order_of_the_chain(write):
    robot = load_robot(write())
    with pytest.raises(KinematicsError, match="from the base to the tool"):
        Kinematics(replace(robot, joints=robot.joints[::-1]))


def test_a_folder_in_the_way_does_not_hide_a_shipped_robot(tmp_path, monkeypatch):
    (tmp_path / "ur5e").mkdir()  # a recording, for example
    monkeypatch.chdir(tmp_path)
    assert load_robot("ur5e").file.is_file()
    with pytest.raises(RobotError, match="ur5e/profile.yaml does not exist"):
        load_robot("./ur5e")
