"""The graph that ros2_control starts: a controller manager with the arm and the controllers that a robot's folder describes."""

import atexit
import os
import tempfile
from collections.abc import Mapping

import yaml

from wm_bringup.drivers import installed
from wm_bringup.graph_checks import checked, robot_of
from wm_bringup.graph_parts import Graph, Program
from wm_bringup.launch_arguments import CONTROL_ARGUMENTS, LaunchError, check_arguments
from wm_core.robot import RobotError
from wm_description.ros2_control import MANAGER, PUBLISHER, controllers_of, manager_parameters


def ros2_control(given: Mapping[str, str]) -> Graph:
    """The graph of ros2_control.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given, CONTROL_ARGUMENTS)
    namespace, mocked = values["namespace"].strip("/"), values["use_mock_hardware"] == "true"
    profile, _ = robot_of(values["robot"], values["tf_prefix"])
    if not mocked and not values["robot_ip"]:
        raise LaunchError(
            "argument 'robot_ip': expected the arm's address, got nothing; or give use_mock_hardware:=true"
        )
    parameters = checked("robot", lambda: manager_parameters(profile, mocked, values["robot_ip"]), RobotError)
    for package, needed in ((MANAGER, "ros2-control ros2-controllers"), (PUBLISHER, "robot-state-publisher")):
        if not installed(package):
            packages = " ".join(f"ros-$ROS_DISTRO-{name}" for name in needed.split())
            raise LaunchError(f"{package} is not installed: sudo apt-get install {packages}")
    with tempfile.NamedTemporaryFile("w", prefix="wm_launch_", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(parameters, file)
    atexit.register(os.unlink, file.name)
    inside = f"/{namespace}".rstrip("/")
    given_all = ("--ros-args", "-r", f"__ns:={inside or '/'}", "--params-file", file.name)
    publisher = Program(PUBLISHER, PUBLISHER, given_all)
    manager = Program(MANAGER, "ros2_control_node", given_all)
    spawner = Program(MANAGER, "spawner", (*controllers_of(parameters), "--controller-manager", f"{inside}/{MANAGER}"))
    return Graph((), (), namespace, values["log_level"], {}, programs=(publisher, manager, spawner))
