"""`wm robot check` and `wm robot new`: what is wrong with a profile is said, and what is proposed can be used."""

import argparse
import importlib

import numpy as np
import pytest
import yaml

from wm_core.kinematics import Kinematics
from wm_core.robot import PROFILE, load_robot
from wm_core.robot_description import describe
from wm_description.check import check_robot
from wm_description.collisions import Collisions
from wm_description.reach import home_joints

PANDA = load_robot("panda")
ARM = """<robot name="reacher">
  <link name="world"/><link name="foot"/><link name="column"/><link name="upper"/><link name="lower"/>
  <link name="wrist"/><link name="hand"/><link name="tool0"/>
  {links}
  <joint name="stand" type="fixed"><parent link="world"/><child link="foot"/></joint>
  <joint name="turn" type="continuous"><parent link="foot"/><child link="column"/><origin xyz="0 0 0.3"/>
    <axis xyz="0 0 1"/></joint>
  <joint name="shoulder" type="revolute"><parent link="column"/><child link="upper"/><axis xyz="0 1 0"/>
    <limit lower="-2.5" upper="2.5" velocity="2" effort="80"/></joint>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz="0.4 0 0"/>
    <axis xyz="0 1 0"/><limit lower="-2.8" upper="2.8" velocity="0" effort="80"/></joint>
  <joint name="roll" type="revolute"><parent link="lower"/><child link="wrist"/><origin xyz="0.4 0 0"/>
    <axis xyz="1 0 0"/><limit lower="-2.9" upper="2.9" velocity="2" effort="20"/></joint>
  <joint name="tilt" type="revolute"><parent link="wrist"/><child link="hand"/><axis xyz="0 1 0"/>
    <limit lower="-2.9" upper="2.9" velocity="2" effort="20"/></joint>
  <joint name="spin" type="revolute"><parent link="hand"/><child link="tool0"/><origin xyz="0.1 0 0" rpy="0 1.5708 0"/>
    <axis xyz="0 0 1"/><limit lower="-2.9" upper="2.9" velocity="2" effort="20"/></joint>
</robot>"""


def bar(length):
    """A bar along x."""
    return (
        f'<visual><origin xyz="{length / 2} 0 0"/><geometry><box size="{length - 0.12} 0.06 0.06"/></geometry></visual>'
    )


@pytest.fixture
def arm(tmp_path):
    """A URDF of an arm of bars: its first joint turns without end, its elbow says no velocity."""
    text = ARM.replace('<link name="upper"/>', f'<link name="upper">{bar(0.4)}</link>')
    text = text.replace('<link name="lower"/>', f'<link name="lower">{bar(0.4)}</link>').replace("{links}", "")
    (tmp_path / "reacher.urdf").write_text(text)
    return tmp_path / "reacher.urdf"


@pytest.fixture
def changed(tmp_path):
    """Writes the Panda's profile with changes, {"tool.height": 0.1}; returns its path."""

    def change(changes):
        data = yaml.safe_load(PANDA.file.read_text()) | {"urdf": PANDA.urdf}
        for field, value in changes.items():
            *path, last = field.split(".")
            part = data
            for key in path:
                part = part[key]
            part[last] = value
        (tmp_path / PROFILE).write_text(yaml.safe_dump(data))
        return tmp_path / PROFILE

    return change


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tool.height": -1}, "tool.height: -1 is less than or equal"),
        ({"urdf": "nowhere.urdf"}, "cannot read"),
        ({"tool.link": "hand"}, "tool.link: link 'hand' is not in the URDF"),
        ({"base.frame": "floor"}, "base.frame: link 'floor' is not in the URDF"),
        ({"mask": [{"links": ["arm"], "margin": 0.01}]}, "mask: link 'arm' is not in the URDF"),
        ({"gripper.joints": ["thumb"]}, "gripper.joints: 'thumb' is not in the URDF"),
        (
            {"joints": [f"panda_joint{i}" for i in (1, 2, 3, 4, 5, 6, 8)]},
            "joint 'panda_joint8': expected one that moves",
        ),
        ({"joints": [f"panda_joint{i}" for i in (2, 1, 3, 4, 5, 6, 7)]}, "from the base to the tool"),
        ({"reach.x": [0.28, 0.79]}, "of the places tried cannot be reached"),
        ({"reach.x": [0.28, 1.0]}, "within the workspace"),
        ({"tool.height": 0.007, "reach.z": [0.006, 0.1]}, "lowest part is -1 mm above the table"),
        ({"tool.height": 0.4}, "tool.height: expected it within reach.z"),
        ({"home.tool": [0.1, 0.0]}, "home.tool: expected a place within the reach"),
        (
            {"home.tool": [0.32, 0.0, 0.021], "tool.height": 0.021, "base.position": [0.0, 0.0, 1.5]},
            "home: the arm does not",
        ),
    ],
)
def test_what_is_wrong_is_said(changed, changes, problem):
    errors = check_robot(changed(changes)).errors
    assert any(problem in error for error in errors), errors


def test_what_is_odd_is_said(changed):
    mask = [{"links": ["panda_hand"], "margin": 0.003}]
    found = check_robot(changed({"mask": mask, "limits": {"velocity": [2.0] * 6 + [3.0]}}))
    assert found.errors == []
    assert any("panda_joint7: 3 is above the URDF's 2.61" in line for line in found.warnings)
    assert any("link 'panda_leftfinger' comes where objects are" in line for line in found.warnings)


def test_a_tool_that_is_slower_than_the_task_is_said(changed):
    found = check_robot(changed({"tool_speed": 0.25}))
    assert found.errors == []
    slow = "tool_speed: 0.25 m/s is below the 0.3 m/s of the task 'push' (0.03 m in 0.1 s)"
    assert any(line.startswith(slow) for line in found.warnings)


WALL = {"name": "wall", "normal": [0, -2, 0], "offset": -1.0}  # at y = 0.5, behind it forbidden


def box(y, size):
    return {"name": "shelf", "position": [0.5, y, 0.2], "rpy_deg": [0, 0, 0], "size": size}


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        (
            {"half_spaces": [{"name": "wall", "normal": [0, 1, 0], "offset": 0.5}]},
            "below 0.5 m: move it, or, if the other side is meant, turn the signs of normal and offset",
        ),
        (
            {"boxes": [box(0.0, [2.0, 2.0, 1.0])]},
            "'panda_link",
        ),  # all of the arm is in it, and touches none of its sides
    ],
)
def test_what_is_kept_out_and_holds_the_arm_is_an_error_as_it_is_for_the_guard(changed, zone, problem):
    (error,) = check_robot(changed({"keep_out": zone})).errors
    assert "expected it clear of the arm at home" in error and problem in error


@pytest.mark.parametrize("zone", [{"half_spaces": [WALL | {"offset": -0.4}]}, {"boxes": [box(0.45, [0.6, 0.2, 0.4])]}])
def test_what_is_kept_out_of_the_reach_is_said_with_its_share(changed, zone):
    found = check_robot(changed({"keep_out": zone}))
    (name,) = (each["name"] for kind in zone.values() for each in kind)
    (warning,) = found.warnings
    share = float(warning.split(" % of")[0].split()[-1])
    assert found.errors == [] and warning.startswith(f"keep_out: '{name}': with the tool at ") and 3 < share < 60


def test_what_is_kept_out_beside_the_reach_is_not_spoken_of(changed):
    found = check_robot(changed({"keep_out": {"half_spaces": [WALL], "boxes": [box(-0.9, [0.2, 0.2, 0.2])]}}))
    assert found.errors == found.warnings == []


def test_an_arm_that_touches_the_table_is_named(changed):
    errors = check_robot(changed({"tool.height": 0.010, "reach.z": [0.009, 0.1]})).errors
    assert "home: 'panda_leftfinger' is 2 mm above the table" in errors


def test_an_arm_that_touches_itself_is_named():
    kinematics = Kinematics(load_robot("ur5e"))
    collisions = Collisions(kinematics)
    folded = np.array([0.0, -1.57, 3.1, 0.0, 0.0, 0.0])  # the forearm lies on the upper arm
    assert ("upper_arm_link", "forearm_link") not in collisions.of_itself(folded)  # they share the elbow
    assert any("upper_arm_link" in pair for pair in collisions.of_itself(folded))
    assert collisions.of_itself(home_joints(kinematics)) == []


def verb(name, *arguments):
    module = importlib.import_module(f"wm_description.cli.robot.{name}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args(list(map(str, arguments))))


def test_the_verbs_say_whether_a_robot_can_be_used(changed, capsys):
    assert verb("check", "ur5e") == 0
    assert "ur5e: can be used" in capsys.readouterr().out
    assert verb("check", changed({"tool.link": "hand"})) == 1
    assert "error: tool.link" in capsys.readouterr().out
    assert verb("list") == 0
    assert all(name in capsys.readouterr().out for name in ("panda",))


def test_a_description_from_a_topic_is_checked_with_its_text(changed, arm, tmp_path, capsys):
    profile = changed({"urdf": {"topic": "robot_description"}})
    assert "comes on the topic" in check_robot(profile).errors[0]
    text = tmp_path / "published.urdf"
    text.write_text(describe(PANDA))
    assert verb("check", profile, "--urdf", text) == 0


@pytest.mark.slow
def test_a_profile_is_proposed_for_a_urdf_and_can_be_used(arm, tmp_path, capsys):
    out = tmp_path / "robots/reacher"
    assert verb("new", "--urdf", arm, "--out", out) == 0
    said = capsys.readouterr().out
    assert "limits.position: made up" in said and "limits.velocity: made up" in said
    robot = load_robot(out)
    assert robot.joints == ("turn", "shoulder", "elbow", "roll", "tilt", "spin")
    assert robot.base_frame == "foot" and robot.tool.mount is not None and robot.tool.mount.link == "tool0"
    assert check_robot(out).errors == []
    assert (out / "picture.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="expected a new folder"):
        verb("new", "--urdf", arm, "--out", out)


def test_a_urdf_without_an_arm_is_refused(tmp_path):
    (tmp_path / "box.urdf").write_text('<robot name="box"><link name="box"/></robot>')
    with pytest.raises(ValueError, match="no chain of turning joints"):
        verb("new", "--urdf", tmp_path / "box.urdf", "--out", tmp_path / "box")
