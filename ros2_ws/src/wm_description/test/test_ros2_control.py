"""The ros2_control macros and controllers of the shipped robots say the same as their profiles."""

from shutil import copytree
from xml.etree import ElementTree

import pytest
import yaml

from wm_core.robot import RobotError, RobotProfile, load_robot, robot_names
from wm_core.robot_description import describe
from wm_description.ros2_control import controllers_of, manager_parameters, with_system

XACRO = "{http://www.ros.org/wiki/xacro}"
PREFIX = "${prefix}"


@pytest.fixture(params=robot_names())
def robot(request) -> RobotProfile:
    return load_robot(request.param)


def system(robot: RobotProfile) -> ElementTree.Element:
    (macro,) = ElementTree.parse(robot.file.with_name("ros2_control.xacro")).getroot().findall(f"{XACRO}macro")
    assert macro.get("name") == f"{robot.name}_ros2_control"
    found = macro.find("ros2_control")
    assert found is not None and found.get("type") == "system"
    return found


def mimics(robot: RobotProfile) -> set[str]:
    """Joints that follow another one by the description: ros2_control takes no commands for them."""
    joints = ElementTree.fromstring(describe(robot)).findall("joint")
    return {joint.get("name") or "" for joint in joints if joint.find("mimic") is not None}


def fingers(robot: RobotProfile) -> list[str]:
    return list(robot.gripper.joints) if robot.gripper else []


def test_joints_are_those_of_the_profile_and_begin_at_home(robot):
    joints = system(robot).findall("joint")
    names = [(joint.get("name") or "").removeprefix(PREFIX) for joint in joints]
    assert names == [*robot.joints, *fingers(robot)]
    assert all((joint.get("name") or "").startswith(PREFIX) for joint in joints)
    home = [float(joint.findtext("state_interface[@name='position']/param") or "nan") for joint in joints]
    assert home == [*robot.home.joints, *([robot.gripper.range[0]] * len(fingers(robot)) if robot.gripper else [])]
    for name, joint in zip(names, joints, strict=True):
        commands = [each.get("name") for each in joint.findall("command_interface")]
        assert commands == ([] if name in mimics(robot) else ["position"])
        assert {each.get("name") for each in joint.findall("state_interface")} == {"position", "velocity"}


def test_the_mocked_arm_and_the_maker_s_plugin_exclude_each_other(robot):
    hardware = system(robot).find("hardware")
    mocked, real = hardware.find(f"{XACRO}if"), hardware.find(f"{XACRO}unless")
    assert mocked.get("value") == real.get("value") == "${use_mock_hardware}"
    assert mocked.findtext("plugin") == "mock_components/GenericSystem"
    assert real.findtext("plugin") == "${hardware_plugin}"


def test_controllers_take_what_the_guard_sends(robot):
    given = {
        name: each["ros__parameters"]
        for name, each in yaml.safe_load(robot.file.with_name("controllers.yaml").read_text()).items()
    }
    controller, topic = robot.controller_topic.split("/")
    assert topic == "joint_trajectory"
    assert given["controller_manager"][controller]["type"] == "joint_trajectory_controller/JointTrajectoryController"
    arm = given[controller]
    assert arm["joints"] == list(robot.joints) and arm["interpolate_from_desired_state"] is True
    assert arm["command_interfaces"] == ["position"] and arm["state_interfaces"] == ["position", "velocity"]
    if robot.gripper:
        assert given[robot.gripper.topic.split("/")[0]]["joints"] == [
            each for each in fingers(robot) if each not in mimics(robot)
        ]


def test_every_joint_is_in_the_description(robot):
    joints = {joint.get("name") for joint in ElementTree.fromstring(describe(robot)).findall("joint")}
    assert joints >= {*robot.joints, *fingers(robot)}


def test_a_controller_manager_is_given_the_arm_and_its_controllers(robot):
    parameters = manager_parameters(robot, mocked=True)
    controllers = controllers_of(parameters)
    assert {"joint_state_broadcaster", "arm_controller"} <= set(controllers)
    assert ("gripper_controller" in controllers) == (robot.gripper is not None)
    description = ElementTree.fromstring(
        parameters["/**/robot_state_publisher"]["ros__parameters"]["robot_description"]
    )
    assert description.findtext("ros2_control/hardware/plugin") == "mock_components/GenericSystem"
    joints = [joint.get("name") for joint in description.findall("ros2_control/joint")]
    assert joints == [*robot.joints, *fingers(robot)]
    assert len(description.findall("link")) == len(ElementTree.fromstring(describe(robot)).findall("link"))


def test_names_carry_the_prefix_also_those_of_the_controllers():
    robot = load_robot("ur5e", "left_")
    parameters = manager_parameters(robot, mocked=False, robot_ip="192.168.1.10")
    assert parameters["/**/arm_controller"]["ros__parameters"]["joints"] == list(robot.joints)
    system = ElementTree.fromstring(with_system(robot, mocked=False, robot_ip="192.168.1.10")).find("ros2_control")
    assert [joint.get("name") for joint in system.findall("joint")] == list(robot.joints)
    assert system.findtext("hardware/plugin") == "ur_robot_driver/URPositionHardwareInterface"
    assert system.findtext("hardware/param[@name='robot_ip']") == "192.168.1.10"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ros2_control.xacro", None, "expected ros2_control.xacro beside it, with a macro ur5e_ros2_control"),
        ("ros2_control.xacro", '<robot xmlns:xacro="http://www.ros.org/wiki/xacro"/>', "expected a macro ur5e_ros2_control"),
        ("ros2_control.xacro", "<robot", "xacro says"),
        ("controllers.yaml", None, "controllers.yaml: expected parameters of controller_manager"),
        ("controllers.yaml", "arm_controller: {ros__parameters: {}}", "of controller_manager, got those of arm_controller"),
        ("controllers.yaml", "controller_manager: 3", "expected parameters of controller_manager and its controllers"),
    ],
)  # fmt: skip
def test_a_folder_that_lacks_them_is_named(tmp_path, name, text, expected):
    copytree(load_robot("ur5e").file.parent, tmp_path / "mine")
    file = tmp_path / "mine" / name
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(RobotError, match=f"mine.*{expected}"):
        manager_parameters(load_robot(tmp_path / "mine"), mocked=True)
