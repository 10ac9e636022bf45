"""`wm robot new`: which joints are the arm's and which the gripper's, whose mesh is whose, and nothing half written."""

import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from wm_core.command_line import main
from wm_core.kinematics import Kinematics
from wm_core.meshes import read_mesh
from wm_core.robot import RobotError, load_robot
from wm_description import propose
from wm_description.arm import find_arm
from wm_description.fingers import gripper_tool
from wm_description.light import light_copy, write_obj

AXES = ["0 0 1", "0 1 0", "0 1 0", "1 0 0", "0 1 0", "0 0 1"]  # of the arm's joints, a1 to a6


def joint(name, parent, child, kind="revolute", lower=-2.0, upper=2.0, axis="0 1 0", at="0 0 0", mimic=""):
    follows = f'<mimic joint="{mimic.split()[0]}" multiplier="{mimic.split()[1]}"/>' if mimic else ""
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/><origin xyz="{at}"/>'
        f'<axis xyz="{axis}"/><limit lower="{lower}" upper="{upper}" velocity="1" effort="30"/>{follows}</joint>'
        f'<link name="{child}"/>'
    )


def finger(name, parent, side, length=0.06, **fields):
    """A joint and the finger that it turns about y or slides, which reaches up from it and is 1 cm thick."""
    box = f'<origin xyz="0 0 {length / 2}"/><geometry><box size="0.01 0.02 {length}"/></geometry>'
    solid = f"<visual>{box}</visual>"
    text = joint(name, parent, f"{name}_link", at=f"{side} 0 0.05", **fields)
    return text.replace(f'<link name="{name}_link"/>', f'<link name="{name}_link">{solid}</link>')


def arm_with(hand="", root="base", joints=6):
    links = [root, *(f"l{i}" for i in range(1, joints + 1))]
    chain = [joint(f"a{i + 1}", links[i], links[i + 1], axis=AXES[i % 6], at="0 0 0.2") for i in range(joints)]
    return f'<robot name="arm"><link name="{root}"/>{"".join(chain)}{hand}</robot>'


PALM = joint("mount", "l6", "palm", "fixed")
# As the Robotiq 2F-85: closed at its upper limit, one joint moves by itself, the others mimic it.
KNUCKLES = PALM + (
    finger("left_knuckle", "palm", 0.03, 0.12, lower=0.0, upper=0.25, axis="0 -1 0")
    + finger("right_knuckle", "palm", -0.03, 0.12, lower=-0.25, upper=0.0, axis="0 -1 0", mimic="left_knuckle -1")
    + joint("left_tip", "left_knuckle_link", "left_pad", mimic="left_knuckle -1")
)
# As the Panda's: closed at 0, two that slide.
SLIDES = PALM + (
    finger("left_slide", "palm", 0.0, kind="prismatic", lower=0.0, upper=0.04, axis="1 0 0")
    + finger("right_slide", "palm", 0.0, kind="prismatic", lower=0.0, upper=0.04, axis="-1 0 0", mimic="left_slide 1")
)
# Three fingers of two joints each, none of which mimics another.
HAND = PALM + "".join(
    finger(f"f{i}_base", "palm", side, lower=0.0, upper=1.2)
    + finger(f"f{i}_end", f"f{i}_base_link", 0.0, lower=0.0, upper=1.2)
    for i, side in enumerate((-0.03, 0.0, 0.03))
)
CAMERA = joint("pan", "l5", "camera", lower=-1.0, upper=1.0) + joint("end", "l6", "tool0", "fixed")
SIX = tuple(f"a{i}" for i in range(1, 7))


@pytest.mark.parametrize(
    "hand", [KNUCKLES, SLIDES, HAND, CAMERA, ""], ids=["knuckles", "slides", "hand", "camera", "none"]
)
def test_joints_of_a_hand_are_not_the_arms(hand):
    chain = find_arm(ElementTree.fromstring(arm_with(hand)))
    assert (chain.base, chain.joints, chain.flange) == ("base", SIX, "tool0" if hand is CAMERA else "l6")


def test_an_arm_beside_another_on_a_turning_torso_is_one():
    one = arm_with(root="torso", joints=5).split("</robot>")[0].split('<link name="torso"/>')[1]
    other = one.replace('"a', '"b').replace('"l', '"r')
    text = f'<robot name="two"><link name="base"/>{joint("waist", "base", "torso")}{one}{other}</robot>'
    assert find_arm(ElementTree.fromstring(text)).joints == ("waist", "a1", "a2", "a3", "a4", "a5")


@pytest.fixture
def described(tmp_path):
    """The kinematics of a drafted profile for a URDF."""

    def describe(text):
        (tmp_path / "arm.urdf").write_text(text)
        root = ElementTree.fromstring(text)
        propose.write_profile(propose._draft(root, find_arm(root), "arm"), tmp_path / "profile.yaml")
        return Kinematics(load_robot(tmp_path))

    return describe


@pytest.mark.parametrize(
    ("hand", "joints", "closed_and_open", "width"),
    [
        (SLIDES, ["left_slide", "right_slide"], [0.0, 0.04], 0.01),
        (KNUCKLES, ["left_knuckle"], [0.25, 0.0], 0.04),
    ],
)
def test_the_closed_gripper_is_the_tool(described, hand, joints, closed_and_open, width):
    """Which of its ends is closed is seen by where its fingers are. The part of them that pushes is as narrow as they are there."""
    found = gripper_tool(described(arm_with(hand)))
    assert found.gripper["joints"] == joints and found.gripper["range"] == closed_and_open
    assert found.gripper["force"] == 30 and found.tool["mount"]["link"] == "palm"
    assert found.tool["boxes"][0]["size"][0] == pytest.approx(width, abs=0.005)


def test_the_gripper_of_a_real_description_is_found(tmp_path, described):
    """The xArm 6 with its gripper, of PyBullet's data: its drive_joint is revolute, and five others mimic it."""
    urdf = Path(find_spec("pybullet_data").submodule_search_locations[0]) / "xarm/xarm6_with_gripper.urdf"
    light_copy(urdf, tmp_path / "light.urdf")
    kinematics = described((tmp_path / "light.urdf").read_text())
    assert kinematics.joint_names == tuple(f"joint{i}" for i in range(1, 7))
    found = gripper_tool(kinematics)
    assert found.tool["mount"]["link"] == "xarm_gripper_base_link" and found.gripper["range"] == [0.85, 0.0]
    assert found.gripper["joints"][0] == "drive_joint" and len(found.gripper["joints"]) == 6
    assert 0.16 < found.tool["mount"]["position"][2] < 0.18  # [m] its maker says 0.172 to the tip


def test_a_hand_that_no_one_range_closes_is_the_tool_without_the_field(described):
    """The profile says one range for all joints."""
    uneven = HAND.replace('name="f2_base" type="revolute"', 'name="f2_base" type="continuous"')
    found = gripper_tool(described(arm_with(uneven)))
    assert found.gripper is None and found.notes[0].startswith("gripper: left out, no one range closes f0_base")
    assert gripper_tool(described(arm_with(HAND))).gripper["joints"] == [
        f"f{i}_{p}" for p in ("base", "end") for i in range(3)
    ]


def test_a_rail_before_the_arm_is_no_finger(described):
    text = arm_with().replace(
        '<link name="base"/>', f'<link name="floor"/>{joint("rail", "floor", "base", "prismatic", 0.0, 3.0)}'
    )
    assert gripper_tool(described(text)) is None


def test_meshes_of_one_name_stay_those_of_their_links(tmp_path):
    """.../link1/visual.obj and .../link2/visual.obj: as in the descriptions of many makers."""
    heights = {"l1": 0.1, "l2": 0.2, "l/1": 0.3}  # and a link whose name is no file's
    text = arm_with(joint("odd", "l6", "l/1"))
    for link, height in heights.items():
        corners = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, height]])
        write_obj(tmp_path / link / "visual.obj", corners, np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]))
        mesh = f'<visual><geometry><mesh filename="{link}/visual.obj"/></geometry></visual>'
        text = text.replace(f'<link name="{link}"/>', f'<link name="{link}">{mesh * (2 if link == "l2" else 1)}</link>')
    (tmp_path / "arm.urdf").write_text(text)
    (tmp_path / "out").mkdir()
    light_copy(tmp_path / "arm.urdf", tmp_path / "out/arm.urdf")
    files = {
        link.get("name"): [mesh.get("filename") for visual in link.findall("visual") for mesh in visual.iter("mesh")]
        for link in ElementTree.parse(tmp_path / "out/arm.urdf").getroot().findall("link")
    }
    assert files["l1"] == ["meshes/l1.obj"] and files["l2"] == ["meshes/l2_0.obj", "meshes/l2_1.obj"]
    assert len({name for names in files.values() for name in names}) == 4
    for link, height in heights.items():
        vertices, _ = read_mesh(tmp_path / "out" / files[link][0])
        assert vertices[:, 2].max() == pytest.approx(height)


# -- nothing half written -----------------------------------------------------------------------------------------


def test_ctrl_c_leaves_nothing_that_looks_finished(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    (tmp_path / "arm.urdf").write_text(arm_with())
    monkeypatch.setattr(propose, "_place", interrupted)
    assert main(["robot", "new", "--urdf", str(tmp_path / "arm.urdf"), "--out", str(tmp_path / "robots/arm")]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["arm.urdf"]


def test_a_folder_with_something_in_it_is_not_written_into(tmp_path):
    (tmp_path / "arm.urdf").write_text(arm_with())
    (tmp_path / "robots").mkdir()
    (tmp_path / "robots/arm.urdf").write_text("another one")
    with pytest.raises(RobotError, match="expected a new folder, .* is not empty; choose another with --out"):
        propose.new_robot(tmp_path / "arm.urdf", tmp_path / "robots", "arm")
    assert (tmp_path / "robots/arm.urdf").read_text() == "another one"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('<parent link="l2"/>', ""), "joint 'a3': expected a parent and a child, got 1 of them"),
        (('<child link="l6"/>', '<child link="l2"/>'), "every link hangs from one joint at most"),
        (('velocity="1"', 'velocity="fast"'), "joint 'a1': expected numbers, .* run xacro on the URDF first?"),
        (('upper="2.0"', 'upper="${pi}"'), "joint 'a1': expected numbers, .* run xacro on the URDF first?"),
    ],
)
def test_what_is_wrong_with_a_urdf_is_said_in_a_line(tmp_path, capsys, change, problem):
    (tmp_path / "arm.urdf").write_text(arm_with().replace(*change))
    assert main(["robot", "new", "--urdf", str(tmp_path / "arm.urdf"), "--out", str(tmp_path / "arm")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("wm: ") and len(said.splitlines()) == 1 and not (tmp_path / "arm").exists()
    assert problem.split(" .*")[0] in said


def test_a_name_that_no_profile_may_have_is_said_with_what_to_do(tmp_path, capsys):
    (tmp_path / "arm.urdf").write_text(arm_with().replace('name="arm"', 'name="my arm"'))
    assert main(["robot", "new", "--urdf", str(tmp_path / "arm.urdf"), "--out", str(tmp_path / "arm")]) == 1
    assert "got 'my arm'; choose another with --name" in capsys.readouterr().err
