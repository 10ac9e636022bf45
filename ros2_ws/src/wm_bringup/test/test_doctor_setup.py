"""What `wm doctor --live` expects: of the robot's profile and the rig, and of what the launch gives its nodes."""

import argparse
import re
from pathlib import Path

import pytest

from wm_bringup import drivers
from wm_bringup.cli import doctor
from wm_bringup.cli._launched import files, robot_of, robot_parameters
from wm_bringup.doctor.setup import setup_of
from wm_bringup.graph_real import arm_real
from wm_bringup.launch_arguments import LaunchError
from wm_bringup.launch_files import READ_JOINTS, files_of_real
from wm_core.params import ConfigError
from wm_core.paths import rigs_dir
from wm_core.robot import RobotError, load_robot


def asked(*words: str) -> argparse.Namespace:
    """The options of these words."""
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return parser.parse_args(["--live", *words])


def test_topics_come_from_the_parameters_of_perception(tmp_path: Path):
    file = tmp_path / "arm.yaml"
    rig = rigs_dir() / "one_camera.yaml"
    file.write_text(
        f"/**/wm_perception:\n  ros__parameters:\n    rig: {rig}\n    colour_topic: '/{{camera}}/rgb'\n    sync_tolerance: 0.04\n"
        "/**/wm_guard:\n  ros__parameters:\n    speed_limit: 0.25\n"
    )
    setup = setup_of(load_robot("ur5e"), {"depth_topic": "/d"}, [file], "/c")
    assert [camera.colour for camera in setup.cameras] == [f"/{setup.rig.cameras[0].name}/rgb"]
    assert (setup.cameras[0].depth, setup.sync_tolerance, setup.controller_topic) == ("/d", 0.04, "/c")


def test_what_the_launch_gives_its_nodes_is_expected(tmp_path: Path):
    """Its own file for robots, the driver's, and those of the user, of which the last wins."""
    first, last = tmp_path / "first.yaml", tmp_path / "last.yaml"
    first.write_text("/**/wm_guard: {ros__parameters: {trajectory_topic: /first}}\n")
    last.write_text("/**/wm_guard: {ros__parameters: {trajectory_topic: /last}}\n")
    robot = load_robot("ur5e")
    shipped = setup_of(robot, {}, files_of_real("ur5e", "auto", "", []))
    assert shipped.controller_topic == "/scaled_joint_trajectory_controller/joint_trajectory"
    assert (shipped.sync_tolerance, shipped.sync_timeout, shipped.joint_topic) == (0.04, 0.1, "/joint_states")
    mine = setup_of(robot, {}, files_of_real("ur5e", "auto", "", [first, last]))
    assert (mine.controller_topic, mine.sync_tolerance) == ("/last", 0.04)
    assert setup_of(robot, {}, [last], "/option").controller_topic == "/option"


def test_the_joints_are_where_the_files_send_all_nodes_that_read_them(tmp_path: Path):
    """A file that says it to some of them only is refused, as the launch does."""
    mine, robot = tmp_path / "mine.yaml", load_robot("ur5e")
    section = "/**/{}: {{ros__parameters: {{joint_topic: /arm/joints}}}}\n"
    mine.write_text("".join(map(section.format, READ_JOINTS)))
    found = files_of_real("ur5e", "auto", "", [mine])
    assert setup_of(robot, {}, found).joint_topic == "/arm/joints"
    mine.write_text(section.format("wm_guard"))
    with pytest.raises(
        ConfigError, match=r"got wm_guard: /arm/joints, of .*mine.yaml; wm_perception: /joint_states, of .*ur_robot"
    ):
        setup_of(robot, {}, found)
    assert setup_of(robot, {"joint_topic": "/arm/joints"}, found).joint_topic == "/arm/joints"


def test_parameter_files_are_repeatable_and_a_simulator_has_no_driver(tmp_path: Path):
    options = asked("--params-file", "a.yaml", "--params-file", "b.yaml")
    mine, robot = [Path("a.yaml"), Path("b.yaml")], load_robot("ur5e")
    assert files(options, robot, simulated_time=True, simulated_arm=True) == mine
    found = files(options, robot, simulated_time=False, simulated_arm=False)
    assert [file.name for file in found] == ["arm_real.yaml", "parameters.yaml", "a.yaml", "b.yaml"]
    found = files(options, robot, simulated_time=False, simulated_arm=True)  # a simulator in real time, or a stand-in
    assert [file.name for file in found] == ["arm_real.yaml", "a.yaml", "b.yaml"]


def test_the_driver_of_the_cameras_is_named_as_for_the_launch(monkeypatch):
    """Its parameters come before those of the arm's driver and of the user, as arm_real gives them to its nodes."""
    monkeypatch.setattr(drivers, "installed", lambda package: True)
    robot, options = load_robot("ur5e"), asked("--camera", "realsense2_camera", "--params-file", "mine.yaml")
    found = files(options, robot, simulated_time=False, simulated_arm=False)
    folders = [file.parent.name for file in found[:-1]]
    assert (folders, found[-1].name) == (["config", "realsense2_camera", "ur_robot_driver"], "mine.yaml")
    given = {"rig": "one_camera", "robot": "ur5e", "camera": "realsense2_camera", "speed": "full"}
    assert tuple(found[:-1]) == arm_real(given).params_files[1:]  # after arm_sim.yaml, which has the defaults
    for simulated in (True, False):
        where = setup_of(robot, {}, files(options, robot, simulated, simulated)[:-1]).cameras[0]
        assert where.colour == "/camera_left/camera_left/color/image_raw"
    with pytest.raises(
        LaunchError, match=r"'camera': expected a folder with launch.yaml or one of .*realsense2_camera"
    ):
        files(asked("--camera", "nobodys"), robot, simulated_time=False, simulated_arm=False)


def test_a_robot_whose_description_comes_on_a_topic_is_given_by_file(tmp_path: Path):
    shipped = load_robot("ur5e")
    profile, urdf = tmp_path / "my_arm.yaml", Path(shipped.file).with_name("ur5e.urdf")
    text = Path(shipped.file).read_text()
    profile.write_text(re.sub(r"(?m)^urdf:.*$", "urdf: {topic: robot_description}", text))
    with pytest.raises(RobotError, match=r"expected --urdf FILE, .* topic 'robot_description'"):
        robot_of(asked("--robot", str(profile)))
    options = asked("--robot", str(profile), "--urdf", str(urdf))
    assert setup_of(robot_of(options), {}, []).kinematics.joint_names == tuple(shipped.joints)
    assert robot_parameters(options) == {"robot": str(profile), "urdf": str(urdf)}
    left = asked("--robot", "ur5e", "--tf-prefix", "left_")
    assert setup_of(robot_of(left), {}, []).robot.joints[0] == f"left_{shipped.joints[0]}"
