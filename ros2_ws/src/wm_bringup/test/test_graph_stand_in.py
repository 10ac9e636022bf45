"""The stand-in's graph: one process that behaves as drivers do, and what is refused before it starts."""

import re

import pytest
import yaml

from wm_bringup.cli.launch import show_arguments
from wm_bringup.graph_parts import config
from wm_bringup.graph_real import arm_real
from wm_bringup.graph_stand_in import NAME, robot_stand_in
from wm_bringup.launch_arguments import STAND_IN_ARGUMENTS, LaunchError
from wm_core.command_line import main
from wm_core.paths import camera_profile_path
from wm_sim.camera_profile import load_camera_profile
from wm_sim.node import SimNode

GRIPPERS = (("ur5e", "auto"), ("ur5e", "true"), ("panda", "auto"), ("panda", "false"))
CAMERAS = ("realsense", "zed", "orbbec", "azure_kinect")


def parameters(**given):
    (node,) = robot_stand_in(given).nodes
    return node.parameters


def test_it_is_a_driver_and_nothing_of_wm():
    graph = robot_stand_in({"robot": "ur5e", "sensor": "realistic", "clock_offset": "-0.15", "arm_lag": "0.03"})
    (node,) = graph.nodes
    assert (node.name, node.module, node.respawn) == (NAME, "wm_sim.node", True)
    wanted = {"robot": "ur5e", "camera": "realsense", "rig": "one_camera", "autostart": True, "mode": "real_time"}
    wanted |= {"sensor": "realistic", "clock_offset": -0.15, "arm_lag": 0.03, "gripper_rate": 0.0}
    assert node.parameters | wanted == node.parameters
    assert "trajectory_topic" not in node.parameters
    rates = [parameters(robot=robot, gripper=gripper)["gripper_rate"] for robot, gripper in GRIPPERS]
    assert rates == [0.0, 50.0, 50.0, 0.0]  # without one in its profile only when asked for
    assert parameters(controller="scaled_jtc")["trajectory_topic"] == "scaled_jtc/joint_trajectory"


def test_every_parameter_exists_and_is_allowed():
    declared = {parameter.name: parameter for parameter in SimNode.PARAMETERS}
    content = yaml.safe_load(config("robot_stand_in.yaml").read_text())[f"/**/{NAME}"]["ros__parameters"]
    assert not set(content) & set(parameters(controller="jtc"))  # the launch's would win
    for name, value in {**content, **parameters(controller="jtc")}.items():
        declared[name].check(value)
        assert type(value) is type(declared[name].default), name


@pytest.mark.parametrize("camera", CAMERAS)
def test_perception_is_given_the_topics_that_the_camera_publishes(camera):
    file = config(f"camera_{camera}.yaml")
    given = yaml.safe_load(file.read_text())["/**/wm_perception"]["ros__parameters"]
    profile = load_camera_profile(camera)
    assert given == {
        "colour_topic": f"/{profile.colour.topic}",
        "depth_topic": f"/{profile.depth.topic}",
        "info_topic": f"/{profile.info_topic}",
    }
    assert file in arm_real({"rig": "one_camera", "driver": "none", "params_file": str(file)}).params_files


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"robot": "hal"}, "'robot'"),
        ({"world": "atlantis"}, "'world'"),
        ({"camera": "pinhole"}, "'camera'.*realsense"),
        ({"sensor": "third_eye"}, "'sensor'.*realistic"),
        ({"rig": "no_such_rig"}, "'rig'"),
        ({"arm_lag": "-1"}, "'arm_lag'"),
        ({"gui": "maybe"}, "'gui'"),
        ({"task": "push"}, "'task': expected a task"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given, expected):
    with pytest.raises(LaunchError, match=expected):
        robot_stand_in(given)


def test_files_of_ones_own_are_found_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(camera_profile_path("zed").read_text())
    assert parameters(camera="mine.yaml")["camera"] == str(tmp_path / "mine.yaml")
    (tmp_path / "more.yaml").write_text(f"/**/{NAME}: {{ros__parameters: {{joint_state_rate: 125.0}}}}")
    assert robot_stand_in({"params_file": "more.yaml"}).params_files[-1] == tmp_path / "more.yaml"


def test_the_command_line_knows_it(capsys):
    assert main(["launch", "robot_stand_in.launch.py", "--show-args"]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() == show_arguments(STAND_IN_ARGUMENTS).strip()
    assert main(["launch", "robot_stand_in.launch.py", "camera:=pinhole"]) == 2
    assert re.search("camera", capsys.readouterr().err)


def test_a_scene_lies_before_the_stand_in():
    (node,) = robot_stand_in({"task": "two_poses", "camera": "sim", "rig": "two_cameras_fine"}).nodes
    assert node.parameters["scene"] is True and node.parameters["task"].endswith("two_poses.yaml")
    assert "world" not in node.parameters
