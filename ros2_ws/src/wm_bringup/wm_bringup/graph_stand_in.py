"""The graph that robot_stand_in starts: a simulated arm and cameras behind the topics of real drivers, and nothing of wm."""

from collections.abc import Mapping
from typing import Any

from wm_bringup.graph import check_reach
from wm_bringup.graph_checks import checked, params_files, robot_of
from wm_bringup.graph_parts import Graph, Node, config, middleware, name_or_file
from wm_bringup.graph_scene import scene_task
from wm_bringup.launch_arguments import STAND_IN_ARGUMENTS, LaunchError, check_arguments
from wm_core.paths import rig_path
from wm_core.rig import CameraRig, RigError
from wm_core.sensor_spec import SensorError, load_sensor
from wm_sim.camera_profile import CameraProfileError, load_camera_profile
from wm_sim.display import display_problem
from wm_sim.world import WorldError

NAME = "robot_stand_in"
GRIPPER_HZ = 50.0  # as that of a Robotiq gripper's driver


def robot_stand_in(given: Mapping[str, str]) -> Graph:
    """The graph of robot_stand_in.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given, STAND_IN_ARGUMENTS)
    namespace = values["namespace"].strip("/")
    profile, robot = robot_of(values["robot"])
    task = scene_task(values["task"], profile) if values["task"] else None
    if task is None:
        check_reach(values["world"], profile)
    else:
        checked("task", lambda: task.world.check_reach(profile), WorldError)
    checked("camera", lambda: load_camera_profile(values["camera"]), CameraProfileError, OSError)
    checked("rig", lambda: CameraRig.load(rig_path(values["rig"])), RigError, OSError)
    if values["sensor"]:
        checked("sensor", lambda: load_sensor(values["sensor"]), SensorError, OSError)
    if values["gui"] == "true" and (problem := display_problem()):
        raise LaunchError(f"argument 'gui': true needs a display: {problem}")
    own_gripper = values["gripper"] == "auto" and profile.gripper is not None
    parameters: dict[str, Any] = {
        "robot": robot,
        "autostart": True,
        "mode": "real_time",
        "seed": int(values["seed"]),
        "gui": values["gui"] == "true",
        "follow": values["follow"],
        **{name: name_or_file(values[name]) for name in ("rig", "camera", "sensor")},
        **({"world": name_or_file(values["world"])} if task is None else {"scene": True, "task": str(task.path)}),
        **{name: float(values[name]) for name in ("arm_lag", "arm_delay", "clock_offset")},
        "gripper_rate": GRIPPER_HZ if values["gripper"] == "true" or own_gripper else 0.0,
    }
    if values["controller"]:
        parameters["trajectory_topic"] = f"{values['controller']}/joint_trajectory"
    node = Node("wm_sim", "wm_sim", "wm_sim.node", NAME, parameters, respawn=True)
    files = [config("robot_stand_in.yaml"), *params_files(values["params_file"], [node], namespace)]
    return Graph((node,), tuple(files), namespace, values["log_level"], middleware())
