"""arm_real: the same nodes without the simulator; drivers are data, and are started only where they are asked for and installed."""

from pathlib import Path

import pytest
import yaml

from wm_bringup import drivers
from wm_bringup.cli.launch import run, show_arguments
from wm_bringup.drivers import LAUNCH
from wm_bringup.graph import LIFECYCLE_ORDER, arm_sim
from wm_bringup.graph_parts import Graph, config
from wm_bringup.graph_real import ORDER, arm_real
from wm_bringup.launch_arguments import REAL_ARGUMENTS, LaunchError
from wm_core.command_line import main
from wm_core.robot import load_robot
from wm_guard.node import GuardNode

RIG = {"rig": "one_camera"}


def parameters(graph: Graph, name: str) -> dict:
    return next(node.parameters for node in graph.nodes if node.name == name)


def from_files(graph: Graph, name: str) -> dict:
    """What the parameter files say, later ones over earlier ones."""
    said: dict = {}
    for file in graph.params_files:
        said |= yaml.safe_load(file.read_text()).get(f"/**/{name}", {}).get("ros__parameters", {})
    return said


def test_the_same_nodes_run_without_the_simulator():
    graph = arm_real(RIG)
    assert {node.name for node in graph.nodes} == {*ORDER, "wm_lifecycle_manager", "wm_bundle_manager", "wm_scene_view"}
    assert set(ORDER) == set(LIFECYCLE_ORDER) - {"wm_sim"}
    assert parameters(graph, "wm_lifecycle_manager")["nodes"] == list(ORDER)
    assert graph.includes == () and graph.programs == ()
    stops = {parameters(each, "wm_guard")["stop_file"] for each in (graph, arm_real(RIG))}
    assert len(stops) == 2 and "" not in stops  # a launch does not inherit the stop of the one before
    simulated = {node.name: (node.module, node.respawn, node.ends_all) for node in arm_sim({}).nodes}
    shared = [node for node in graph.nodes if node.name != "wm_scene_view"]
    assert all(simulated[node.name] == (node.module, node.respawn, node.ends_all) for node in shared)


def test_nothing_moves_before_a_person_says_so_and_then_slowly():
    graph = arm_real(RIG)
    guard = {**from_files(graph, "wm_guard"), **parameters(graph, "wm_guard")}
    assert guard["autostart"] is False and guard["enable_required"] is True and guard["speed_limit"] == 0.25
    graph = arm_real({**RIG, "autostart": "true", "speed": "full"})
    assert parameters(graph, "wm_guard")["autostart"] is True
    assert {**from_files(graph, "wm_guard"), **parameters(graph, "wm_guard")}["speed_limit"] == 0.0  # the profile's


def test_the_simulated_arm_needs_neither():
    declared = {parameter.name: parameter.default for parameter in GuardNode.PARAMETERS}
    assert declared["autostart"] is True and declared["enable_required"] is False


def test_the_users_parameters_win_over_those_of_driver_and_hardware(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("/**/wm_guard: {ros__parameters: {enable_required: false, trajectory_topic: mine}}")
    said = from_files(arm_real({**RIG, "robot": "ur5e", "params_file": str(own)}), "wm_guard")
    assert said["enable_required"] is False and said["trajectory_topic"] == "mine"
    assert len(said["driver_states"]) == 3


@pytest.mark.parametrize(
    ("speed", "limit", "expected"),
    [
        ("reduced", "0.1", ""),
        ("reduced", "0.5", "at most 0.25 m/s"),
        ("reduced", "0.0", "at most"),
        ("full", "0.5", ""),
    ],
)
def test_reduced_speed_may_be_lowered_by_ones_own_file_and_not_raised(speed, limit, expected, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(f"/**/wm_guard: {{ros__parameters: {{speed_limit: {limit}}}}}")
    given = {**RIG, "speed": speed, "params_file": str(own)}
    if expected:
        with pytest.raises(LaunchError, match=f"'speed_limit': expected .*{expected}.*speed:=full"):
            arm_real(given)
    else:
        graph = arm_real(given)
        assert {**from_files(graph, "wm_guard"), **parameters(graph, "wm_guard")}["speed_limit"] == float(limit)


def test_the_planner_plans_with_the_speed_that_the_guard_lets_pass(tmp_path):
    assert parameters(arm_real(RIG), "wm_planner")["tool_speed"] == pytest.approx(0.85 * 0.25)
    assert parameters(arm_real({**RIG, "speed": "full"}), "wm_planner")["tool_speed"] == pytest.approx(0.85 * 0.5)
    own = tmp_path / "own.yaml"
    for node, speed in (("wm_guard", "speed_limit: 0.1"), ("wm_planner", "tool_speed: 0.085")):
        own.write_text(f"/**/{node}: {{ros__parameters: {{{speed}}}}}")
        for graph in (arm_real({**RIG, "params_file": str(own)}), arm_sim({"params_file": str(own)})):
            assert parameters(graph, "wm_planner")["tool_speed"] == pytest.approx(0.085)


def test_a_parameter_that_the_launch_sets_otherwise_is_refused(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("/**/wm_guard: {ros__parameters: {trajectory_topic: mine/joint_trajectory}}")
    with pytest.raises(
        LaunchError, match="'trajectory_topic' of wm_guard is set by this launch .*would have no effect"
    ):
        arm_real({**RIG, "controller": "my_controller", "params_file": str(own)})
    assert arm_real({**RIG, "controller": "mine", "params_file": str(own)})  # the same


def joints_at(tmp_path, **topics: str) -> str:
    """A parameter file that says to nodes where the arm's joints come."""
    file = tmp_path / "mine.yaml"
    file.write_text("".join(f"/**/{node}: {{ros__parameters: {{joint_topic: {t}}}}}\n" for node, t in topics.items()))
    return str(file)


def test_a_parameter_file_says_to_all_nodes_that_read_joints_where_these_come(tmp_path):
    """The planner would plan from joints that the guard does not see, or wait for ever."""
    arm = {**RIG, "robot": "ur5e", "driver": "none"}
    file = joints_at(tmp_path, wm_guard="/arm/joints", wm_perception="/arm/joints", wm_planner="/arm/joints")
    arm_real({**arm, "params_file": file})
    file = joints_at(tmp_path, wm_guard="/arm/joints", wm_perception="/arm/joints")
    said = "wm_guard: /arm/joints, of .*mine.yaml; .*; wm_planner: joint_states, of the robot's profile: set it for all three"
    with pytest.raises(LaunchError, match=said):
        arm_real({**arm, "params_file": file})
    with pytest.raises(LaunchError, match="wm_planner: /joint_states, of .*ur_robot_driver/parameters.yaml"):
        arm_real({**arm, "driver": "auto", "params_file": file})


def test_the_joints_are_renamed_in_a_copy_of_the_example(tmp_path):
    """Wherever it has them: it has them for each node that reads them."""
    copy = tmp_path / "mine.yaml"
    copy.write_text(config("arm_real.example.yaml").read_text().replace(": joint_states", ": /arm/joints"))
    said = {name: from_files(arm_real({**RIG, "robot": "iiwa", "params_file": str(copy)}), name) for name in ORDER}
    assert {said[name]["joint_topic"] for name in ("wm_guard", "wm_perception", "wm_planner")} == {"/arm/joints"}


def test_a_topic_may_be_named_in_full_or_not(tmp_path):
    """`joint_states` of the profile is /joint_states, save in a namespace."""
    arm = {**RIG, "robot": "ur5e", "driver": "none", "params_file": joints_at(tmp_path, wm_guard="/joint_states")}
    arm_real(arm)
    with pytest.raises(LaunchError, match="expected one topic of wm_guard, wm_perception, wm_planner"):
        arm_real({**arm, "namespace": "left"})
    joints_at(tmp_path, wm_guard="/left/joint_states")
    arm_real({**arm, "namespace": "left"})


def test_a_controller_and_a_prefix_reach_who_needs_them():
    graph = arm_real({**RIG, "controller": "my_controller", "tf_prefix": "left_"})
    assert parameters(graph, "wm_guard")["trajectory_topic"] == "my_controller/joint_trajectory"
    for name in ("wm_guard", "wm_perception", "wm_planner", "wm_scene_view"):
        assert parameters(graph, name)["tf_prefix"] == "left_"
    assert load_robot("ur5e", "left_").joints[0] == "left_shoulder_pan_joint"
    assert "tf_prefix" not in parameters(arm_real(RIG), "wm_guard")


def test_the_scene_is_drawn_with_the_robot_that_perception_sees(tmp_path):
    assert parameters(arm_real({**RIG, "robot": "iiwa"}), "wm_scene_view") == {"robot": "iiwa", "rig": "one_camera"}
    of_driver = parameters(arm_real({**RIG, "robot": "ur5e"}), "wm_scene_view")
    assert of_driver["joint_topic"] == "/joint_states"  # as its file says to perception
    own = tmp_path / "own.yaml"
    own.write_text(
        "/**/wm_perception: {ros__parameters: {joint_topic: arm/joint_states, table_frame: bench}}\n"
        "/**/wm_guard: {ros__parameters: {joint_topic: arm/joint_states}}\n"
        "/**/wm_planner: {ros__parameters: {joint_topic: arm/joint_states}}\n"
        "/**/wm_scene_view: {ros__parameters: {table_frame: desk}}"
    )
    drawn = parameters(arm_real({**RIG, "params_file": str(own)}), "wm_scene_view")
    assert drawn["joint_topic"] == "arm/joint_states" and drawn["table_frame"] == "desk"


def test_a_driver_is_started_when_there_is_an_address_or_a_mocked_arm(everything_installed):
    assert arm_real({**RIG, "robot": "ur5e"}).includes == ()
    (real,) = arm_real({**RIG, "robot": "ur5e", "robot_ip": "192.168.1.10", "tf_prefix": "left_"}).includes
    assert (real.package, real.launch) == ("ur_robot_driver", "ur_control.launch.py")
    assert real.arguments == {
        "ur_type": "ur5e",
        "robot_ip": "192.168.1.10",
        "use_mock_hardware": "false",
        "tf_prefix": "left_",
        "initial_joint_controller": "scaled_joint_trajectory_controller",
        "headless_mode": "false",
        "launch_rviz": "false",
    }
    graph = arm_real({**RIG, "robot": "ur5e", "use_mock_hardware": "true"})
    assert graph.includes[0].arguments["use_mock_hardware"] == "true"
    assert parameters(graph, "wm_guard")["driver_states"] == [""]  # a mocked arm has no pendant


def test_a_driver_that_starts_no_controllers_is_given_them(everything_installed):
    graph = arm_real({**RIG, "robot": "xarm6", "use_mock_hardware": "true", "namespace": "left"})
    assert graph.includes[0].arguments["ros2_control_plugin"].endswith("FakeSystemHardware")
    (spawner,) = graph.programs
    assert (spawner.package, spawner.executable) == ("controller_manager", "spawner")
    assert spawner.arguments[:2] == ("joint_state_broadcaster", "xarm6_traj_controller")
    assert spawner.arguments[-1] == "/left/controller_manager"
    real = arm_real({**RIG, "robot": "xarm6", "robot_ip": "192.168.1.10", "controller": "mine"})
    assert "ros2_control_plugin" not in real.includes[0].arguments and "mine" in real.programs[0].arguments


def test_a_driver_that_does_not_hear_of_a_mocked_arm_is_not_started(everything_installed, tmp_path):
    """It would start the real one."""
    values = {"package": "mine", "launch": "arm.launch.py", "install": "build it", "arguments": {"ip": "{robot_ip}"}}
    (tmp_path / LAUNCH).write_text(yaml.safe_dump(values))
    given = {**RIG, "driver": str(tmp_path), "robot_ip": "192.168.1.10"}
    assert arm_real(given).includes
    with pytest.raises(LaunchError, match="'use_mock_hardware': expected a driver that can be mocked, .* real arm"):
        arm_real({**given, "use_mock_hardware": "true"})


def test_one_node_a_camera_is_started(everything_installed):
    graph = arm_real({"rig": "two_cameras", "camera": "realsense2_camera"})
    assert [each.arguments["camera_name"] for each in graph.includes] == ["camera_left", "camera_right"]
    assert from_files(graph, "wm_perception")["colour_topic"] == "/{camera}/{camera}/color/image_raw"


def test_rviz_is_started_on_request(everything_installed):
    (program,) = arm_real({**RIG, "rviz": "true"}).programs
    assert program.executable == "rviz2" and Path(program.arguments[1]).is_file()


def test_exploring_puts_nothing_back_by_itself(tmp_path):
    graph = arm_real({**RIG, "explore": "5", "record": str(tmp_path / "bag")})
    assert parameters(graph, "wm_explorer")["reset"] is False and "world" not in parameters(graph, "wm_explorer")
    assert parameters(graph, "wm_recorder")["nodes"] == list(ORDER)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "'rig': expected the rig file of your cameras, got nothing; ./wm calibrate-cameras writes it"),
        ({"rig": "nowhere.yaml"}, "'rig': .*nowhere.yaml"),
        ({**RIG, "world": "tabletop_block"}, "unknown argument 'world'"),
        ({**RIG, "composed": "yes"}, "'composed': expected one of true, false, got 'yes'"),
        ({**RIG, "speed": "fast"}, "'speed': expected one of reduced, full"),
        ({**RIG, "robot": "r2d2"}, "'robot': .*known robots: .*ur5e"),
        ({**RIG, "tf_prefix": "left arm"}, "'tf_prefix'"),
        ({**RIG, "driver": "nobodys"}, "'driver': expected a folder with launch.yaml or one of franka_bringup.*, got 'nobodys'"),
        ({**RIG, "camera": "nobodys"}, "'camera': expected a folder with launch.yaml"),
        ({**RIG, "robot": "ur5e", "robot_ip": "1.2.3.4"}, "ur_robot_driver is not installed.*apt-get install ros-.*-ur"),
        ({**RIG, "robot": "iiwa", "robot_ip": "1.2.3.4"}, "'robot_ip': expected a driver .*'iiwa', there is none"),
        ({**RIG, "driver": "none", "use_mock_hardware": "true"}, "'use_mock_hardware': expected a driver"),
        ({**RIG, "camera": "realsense2_camera"}, "realsense2_camera is not installed"),
        ({**RIG, "rviz": "true"}, "'rviz': rviz2 is not installed"),
        ({**RIG, "record": "/tmp"}, "'record'.*exists"),
        ({**RIG, "bundle": "/nowhere"}, "'bundle'"),
        ({**RIG, "task": "nothing"}, "'task'"),
        ({**RIG, "params_file": "/nowhere"}, "'params_file'"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(given, expected, monkeypatch):
    monkeypatch.setattr(drivers, "installed", lambda package: False)
    monkeypatch.setattr("wm_bringup.graph_real.installed", lambda package: False)
    with pytest.raises(LaunchError, match=expected):
        arm_real(given)


def test_the_command_line_knows_the_file(capsys):
    assert main(["launch", "arm_real.launch.py"]) == 2
    assert "argument 'rig'" in capsys.readouterr().err
    assert main(["launch", "arm_real.launch.py", "--show-args"]) == 0
    shown = capsys.readouterr().out
    assert all(f"'{argument.name}'" in shown for argument in REAL_ARGUMENTS)


def test_drivers_are_started_by_ros_alone(everything_installed):
    from argparse import Namespace

    with pytest.raises(LaunchError, match="ur_robot_driver: expected a sourced ROS 2"):
        run(
            Namespace(
                file="arm_real.launch.py",
                show_args=False,
                arguments=["rig:=one_camera", "robot:=ur5e", "robot_ip:=1.2.3.4"],
            )
        )
    assert "robot_ip" in show_arguments(REAL_ARGUMENTS)


def test_composed_on_a_robot_is_one_process_for_what_computes():
    graph = arm_real({**RIG, "composed": "true"})
    (whole,) = [node for node in graph.nodes if node.parts]
    assert [part.name for part in whole.parts] == ["wm_perception", "wm_dynamics", "wm_planner"]
    assert parameters(graph, "wm_lifecycle_manager")["nodes"] == list(ORDER)
    assert "wm_composed" not in parameters(graph, "wm_lifecycle_manager")["watched"]


def test_scenes_are_seen_by_depth_on_a_robot_of_ones_own():
    graph = arm_real({**RIG, "perception": "geometry", "task": "two_poses"})
    modules = {node.name: node.module for node in graph.nodes}
    assert modules["wm_perception"] == "wm_perception.scene_node" and "wm_bundle_manager" not in modules
    planner = parameters(graph, "wm_planner")
    assert planner["axes"] == "x, y, z, yaw, pitch, grip" and planner["lockstep"] is False
    assert 0 < planner["tool_speed"] < 0.25  # speed:=reduced, and a margin
    assert parameters(graph, "wm_dynamics")["bundle"] == parameters(graph, "wm_perception")["bundle"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"explore": "5"}, "'explore': perception:=geometry has none"),
        ({"planner": "policy"}, "'planner'"),
        ({"robot": "ur5e", "task": "stack"}, "needs a gripper"),
        ({"task": "made_up"}, "'task'"),
        ({"perception": "truth"}, "'perception'"),
    ],
)
def test_what_scenes_have_not_is_refused_by_name(given, expected):
    with pytest.raises(LaunchError, match=expected):
        arm_real({**RIG, "perception": "geometry", **given})
