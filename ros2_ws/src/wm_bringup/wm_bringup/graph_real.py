"""The description of the graph that arm_real starts: wm's nodes without the simulator, and the drivers where they are asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wm_bringup.drivers import Driver, driver_of, installed, load_driver
from wm_bringup.graph_checks import bundle_folders, check_planner, checked, params_files, robot_of, silence_of, task_of
from wm_bringup.graph_parts import (
    Graph,
    Include,
    Program,
    absolute,
    bundle_manager,
    composed,
    config,
    lifecycle_node,
    middleware,
    process,
    recorders,
    stop_file,
    supervisor,
)
from wm_bringup.launch_arguments import REAL_ARGUMENTS, LaunchError, check_arguments
from wm_bringup.launch_files import PERCEPTION, said_to
from wm_core.paths import rig_path
from wm_core.rig import CameraRig, RigError
from wm_core.robot import RobotProfile

ORDER = ("wm_guard", "wm_perception", "wm_dynamics", "wm_planner")  # from the arm upwards
REDUCED = 0.25  # [m/s] reduced speed of ISO 10218
SEEN = ("urdf", "table_frame", "joint_topic")  # of wm_perception: the scene is drawn by the same
NO_DRIVER_STATES = [""]  # a mocked arm says nothing of itself; an empty list has no type


def arm_real(given: Mapping[str, str]) -> Graph:
    """The graph of arm_real.launch.py for launch arguments; raises LaunchError before anything is started."""
    values = check_arguments(given, REAL_ARGUMENTS)
    prefix, namespace = values["tf_prefix"], values["namespace"].strip("/")
    profile, robot = robot_of(values["robot"], prefix)
    rig, cameras = _rig(values["rig"])
    bundle, registry = bundle_folders(values["bundle"])
    loaded, task = task_of(values["task"], bundle, profile)
    check_planner(values["planner"], bundle)
    driver = driver_of(values["driver"], profile.name)
    camera = load_driver("camera", values["camera"]) if values["camera"] else None

    body = {"robot": robot, **({"tf_prefix": prefix} if prefix else {})}
    guard: dict[str, Any] = {**body, "stop_file": stop_file(), "autostart": values["autostart"] == "true"}
    guard |= silence_of(loaded)
    if values["speed"] == "reduced":
        guard["speed_limit"] = REDUCED
    if values["controller"]:
        guard["trajectory_topic"] = f"{values['controller']}/joint_trajectory"
    if values["use_mock_hardware"] == "true":
        guard["driver_states"] = NO_DRIVER_STATES
    planner = {"bundle": bundle, "planner": values["planner"], "seed": 0, "lockstep": False, "task": task}
    scene = process("wm_bringup", "wm_scene_view", {**body, "rig": rig}, ends_all=False, respawn=True)
    nodes = [
        lifecycle_node("wm_guard", guard),
        lifecycle_node("wm_perception", {**body, "bundle": bundle, "rig": rig}),
        lifecycle_node("wm_dynamics", {"bundle": bundle}),
        lifecycle_node("wm_planner", {**body, **planner}),
        bundle_manager(bundle, registry),
        scene,
    ]
    if values["explore"]:
        minutes = float(values["explore"])
        explorer = {"robot": robot, "minutes": minutes, "rig": rig, "task": task, "reset": False}
        nodes.append(process("wm_tasks", "wm_explorer", explorer, ends_all=bool(minutes)))
    nodes += recorders({**values, "snapshot": ""}, rig, ORDER)
    recorded = values["record"] not in ("", "false")
    nodes.insert(len(ORDER), supervisor(nodes, ORDER, recorded=recorded, simulated=False))

    files = [config("arm_sim.yaml"), config("arm_real.yaml")]
    files += [file for each in (camera, driver) if each is not None for file in each.params_files]
    files += params_files(values["params_file"], nodes, namespace)
    scene.parameters.update(_as_seen(files))
    nodes = composed(nodes) if values["composed"] == "true" else nodes
    return Graph(
        tuple(nodes),
        tuple(files),
        namespace,
        values["log_level"],
        middleware(),
        tuple(_includes(values, profile, driver, camera, cameras)),
        _programs(values["rviz"]),
    )


def _as_seen(files: Sequence[Path]) -> dict[str, Any]:
    """Parameters of the scene's view that parameter files give to perception alone: both are to take the same robot in the same place."""
    said = {**said_to(PERCEPTION, files), **said_to("wm_scene_view", files)}
    return {name: said[name] for name in SEEN if said.get(name)}


def _rig(value: str) -> tuple[str, tuple[str, ...]]:
    """A rig's name, or the absolute path of its file, and the names of its cameras."""
    if not value:
        raise LaunchError(
            "argument 'rig': expected the rig file of your cameras, got nothing; ./wm calibrate-cameras writes it (docs/calibration.md)"
        )
    file = rig_path(value)
    rig = checked("rig", lambda: CameraRig.load(file), RigError, OSError)
    names = tuple(camera.name for camera in rig.cameras)
    return (str(file.absolute()) if file.suffix and Path(value).suffix else value), names


def _includes(
    values: Mapping[str, str],
    robot: RobotProfile,
    driver: Driver | None,
    camera: Driver | None,
    cameras: tuple[str, ...],
) -> list[Include]:
    """Launch files of the drivers that are asked for: the arm's by its address or as a mocked one, the cameras' by name."""
    found: list[Include] = []
    filled = {
        "robot": robot.name,
        "robot_ip": values["robot_ip"] or "0.0.0.0",
        "use_mock_hardware": values["use_mock_hardware"],
        "tf_prefix": values["tf_prefix"],
        "namespace": values["namespace"].strip("/"),
        "controller": values["controller"] or (driver.controller if driver else ""),
    }
    if values["robot_ip"] or values["use_mock_hardware"] == "true":
        if driver is None:
            asked = "robot_ip" if values["robot_ip"] else "use_mock_hardware"
            raise LaunchError(
                f"argument '{asked}': expected a driver to start for the robot '{robot.name}', there is none; give driver:=FOLDER (as in"
                " wm_bringup/examples), or start it yourself and leave this argument out"
            )
        found += driver.includes(filled)
    if camera is not None:
        found += camera.includes(filled, cameras)
    return found


def _programs(rviz: str) -> tuple[Program, ...]:
    if rviz != "true":
        return ()
    if not installed("rviz2"):
        raise LaunchError(
            "argument 'rviz': rviz2 is not installed: sudo apt-get install ros-$ROS_DISTRO-rviz2, or rviz:=false"
        )
    return (Program("rviz2", "rviz2", ("-d", absolute(str(config("arm.rviz"))))),)
