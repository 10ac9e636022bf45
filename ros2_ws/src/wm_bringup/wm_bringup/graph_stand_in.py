"""The graph that robot_stand_in starts: a simulated arm and cameras behind the topics of real drivers, and nothing of wm."""

from collections.abc import Mapping
from typing import Any

from wm_bringup.graph_parts import Graph, Node, absolute, config
from wm_bringup.launch_arguments import STAND_IN_ARGUMENTS, LaunchError, check_arguments
from wm_bringup.params_file import check_params_file
from wm_core.paths import rig_path
from wm_core.rig import CameraRig, RigError
from wm_core.robot import RobotError, load_robot, robot_names
from wm_core.sensor_spec import SensorError, load_sensor
from wm_sim.camera_profile import CameraProfileError, load_camera_profile
from wm_sim.display import display_problem
from wm_sim.world import WorldError, load_world

NAME = "robot_stand_in"
GRIPPER_HZ = 50.0  # as that of a Robotiq gripper's driver


def robot_stand_in(given: Mapping[str, str]) -> Graph:
    """The graph of robot_stand_in.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given, STAND_IN_ARGUMENTS)
    namespace = values["namespace"].strip("/")
    robot = _checked("robot", values["robot"], load_robot, RobotError)
    world = _checked("world", values["world"], load_world, WorldError)
    try:
        world.check_reach(robot)
    except WorldError as error:
        raise LaunchError(f"argument 'world': {error}") from error
    _checked("camera", values["camera"], load_camera_profile, CameraProfileError)
    _checked("rig", values["rig"], lambda rig: CameraRig.load(rig_path(rig)), RigError)
    if values["sensor"]:
        _checked("sensor", values["sensor"], load_sensor, SensorError)
    if values["gui"] == "true" and (problem := display_problem()):
        raise LaunchError(f"argument 'gui': true needs a display: {problem}")
    own_gripper = values["gripper"] == "auto" and robot.gripper is not None
    parameters: dict[str, Any] = {
        "robot": values["robot"] if values["robot"] in robot_names() else str(robot.file),
        "autostart": True,
        "mode": "real_time",
        "seed": int(values["seed"]),
        "gui": values["gui"] == "true",
        **{name: _file(values[name]) for name in ("world", "rig", "camera", "sensor")},
        **{name: float(values[name]) for name in ("arm_lag", "arm_delay", "clock_offset")},
        "gripper_rate": GRIPPER_HZ if values["gripper"] == "true" or own_gripper else 0.0,
    }
    if values["controller"]:
        parameters["trajectory_topic"] = f"{values['controller']}/joint_trajectory"
    node = Node("wm_sim", "wm_sim", "wm_sim.node", NAME, parameters, respawn=True)
    files = [config("robot_stand_in.yaml")]
    if values["params_file"]:
        files.append(check_params_file(values["params_file"], {NAME: node.module}, parameters, namespace))
    environment = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(config("fastdds.xml"))}
    return Graph((node,), tuple(files), namespace, values["log_level"], environment)


def _checked(argument: str, value: str, load: Any, error: type[ValueError]) -> Any:
    try:
        return load(value)
    except (error, OSError) as problem:
        raise LaunchError(f"argument '{argument}': {problem}") from problem


def _file(value: str) -> str:
    """A name as it is, a path from the working folder."""
    return absolute(value) if value.endswith((".yaml", ".yml")) else value
