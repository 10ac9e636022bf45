"""The description of the graph that arm_real starts: wm's nodes without the simulator, and the drivers where they are asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wm_bringup.drivers import LAUNCH, Driver, driver_of, installed, load_driver
from wm_bringup.graph_checks import bundle_folders, check_planner, checked, params_files, robot_of, silence_of, task_of
from wm_bringup.graph_parts import (
    Graph,
    Include,
    Node,
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
from wm_bringup.graph_scene import GEOMETRY, by_depth, check_no_more, check_search, scene_bundle, scene_task
from wm_bringup.launch_arguments import REAL_ARGUMENTS, LaunchError, check_arguments
from wm_bringup.launch_files import GUARD, PERCEPTION, PLANNER, in_order, joint_topic_of, said_to, tool_speed_of
from wm_core.params import ConfigError
from wm_core.paths import rig_path
from wm_core.rig import CameraRig, RigError
from wm_core.robot import RobotProfile
from wm_core.task import DEFAULT_TASK

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
    driver = driver_of(values["driver"], profile.name)
    camera = load_driver("camera", values["camera"]) if values["camera"] else None

    body = {"robot": robot, **({"tf_prefix": prefix} if prefix else {})}
    guard: dict[str, Any] = {**body, "stop_file": stop_file(), "autostart": values["autostart"] == "true"}
    if values["controller"]:
        guard["trajectory_topic"] = f"{values['controller']}/joint_trajectory"
    if values["use_mock_hardware"] == "true":
        guard["driver_states"] = NO_DRIVER_STATES
    planner: dict[str, Any] = {"planner": values["planner"], "seed": 0, "lockstep": False}
    scene = process("wm_bringup", "wm_scene_view", {**body, "rig": rig}, ends_all=False, respawn=True)
    if values["perception"] == GEOMETRY:
        brain = _of_scenes(values, profile, body, rig, planner)
        defaults = config("scene_sim.yaml")
    else:
        brain, longest = _of_one_object(values, profile, body, rig, planner)
        guard |= longest
        defaults = config("arm_sim.yaml")
    nodes = [lifecycle_node("wm_guard", guard), *brain, scene]
    nodes += recorders({**values, "snapshot": ""}, rig, ORDER)
    recorded = values["record"] not in ("", "false")
    nodes.insert(len(ORDER), supervisor(nodes, ORDER, recorded=recorded, simulated=False))

    own = params_files(values["params_file"], nodes, namespace)
    reduced = values["speed"] == "reduced"  # in a file, so that one's own may say less
    limits = [config("speed_reduced.yaml")] if reduced else []
    files = [defaults, *limits, *in_order(camera, driver, own)]
    if reduced:
        _check_reduced(said_to(GUARD, files)["speed_limit"])
    _check_joint_topic(files, profile, namespace)
    acting = next(node for node in nodes if node.name == PLANNER)
    acting.parameters["tool_speed"] = checked("params_file", lambda: tool_speed_of(files, profile), ConfigError)
    scene.parameters.update(_as_seen(files))
    includes, programs = _started(values, profile, driver, camera, cameras)
    nodes = composed(nodes) if values["composed"] == "true" else nodes
    return Graph(
        tuple(nodes),
        tuple(files),
        namespace,
        values["log_level"],
        middleware(),
        tuple(includes),
        (*programs, *_programs(values["rviz"])),
    )


def _of_one_object(
    values: Mapping[str, str], profile: RobotProfile, body: Mapping[str, Any], rig: str, planner: Mapping[str, Any]
) -> tuple[list[Node], dict[str, float]]:
    """The nodes from perception to planner for one object, and the guard's parameters that the task sets."""
    bundle, registry = bundle_folders(values["bundle"])
    loaded, task = task_of(values["task"], bundle, profile)
    check_planner(values["planner"], bundle)
    nodes = [
        lifecycle_node("wm_perception", {**body, "bundle": bundle, "rig": rig}),
        lifecycle_node("wm_dynamics", {"bundle": bundle}),
        lifecycle_node("wm_planner", {**body, "bundle": bundle, **planner, "task": task}),
        bundle_manager(bundle, registry),
    ]
    if values["explore"]:
        minutes = float(values["explore"])
        explorer = {"robot": body["robot"], "minutes": minutes, "rig": rig, "task": task, "reset": False}
        nodes.append(process("wm_tasks", "wm_explorer", explorer, ends_all=bool(minutes)))
    return nodes, silence_of(loaded)


def _of_scenes(
    values: Mapping[str, str], profile: RobotProfile, body: Mapping[str, Any], rig: str, planner: Mapping[str, Any]
) -> list[Node]:
    """The nodes from perception to planner for scenes of several objects."""
    check_no_more(values, GEOMETRY)
    check_search(values["planner"], GEOMETRY)
    task = None if values["task"] == DEFAULT_TASK else scene_task(values["task"], profile)
    return by_depth(body, rig, scene_bundle(values["bundle"], profile), task, planner)


def _check_reduced(limit: float) -> None:
    if not 0 < limit <= REDUCED:
        raise LaunchError(
            f"argument 'params_file': wm_guard: 'speed_limit': expected above 0 and at most {REDUCED} m/s with speed:=reduced, got {limit};"
            " give speed:=full"
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


def _check_joint_topic(files: Sequence[Path], profile: RobotProfile, namespace: str) -> None:
    """A node that reads the joints elsewhere than the others holds the arm for ever, or plans from where it is not."""
    try:
        joint_topic_of(files, profile.joint_topic, namespace)
    except ConfigError as error:
        raise LaunchError(str(error)) from error


def _started(
    values: Mapping[str, str],
    robot: RobotProfile,
    driver: Driver | None,
    camera: Driver | None,
    cameras: tuple[str, ...],
) -> tuple[list[Include], list[Program]]:
    """What starts the drivers that are asked for: the arm's by its address or as a mocked one, the cameras' by name."""
    includes: list[Include] = []
    programs: list[Program] = []
    filled = {
        "robot": robot.name,
        "profile": str(robot.file),
        "robot_ip": values["robot_ip"] or "0.0.0.0",
        "use_mock_hardware": values["use_mock_hardware"],
        "tf_prefix": values["tf_prefix"],
        "namespace": values["namespace"].strip("/"),
        "controller": values["controller"] or (driver.controller if driver else ""),
    }
    mocked = values["use_mock_hardware"] == "true"
    asked = [name for name, given in (("robot_ip", values["robot_ip"]), ("use_mock_hardware", mocked)) if given]
    if asked:
        arm = _asked_driver(driver, asked, robot)
        includes += arm.includes(filled)
        programs += arm.programs(filled)
    if camera is not None:
        includes += camera.includes(filled, cameras)
    return includes, programs


def _asked_driver(driver: Driver | None, asked: list[str], robot: RobotProfile) -> Driver:
    """The driver, when there is one for the launch arguments that are `asked`."""
    if driver is None:
        raise LaunchError(
            f"argument '{asked[0]}': expected a driver to start for the robot '{robot.name}', there is none; give driver:=FOLDER (as in"
            " wm_bringup/examples), or start it yourself and leave this argument out"
        )
    if "use_mock_hardware" in asked and not driver.can_be_mocked:  # launch files take unknown arguments without a word
        raise LaunchError(
            f"argument 'use_mock_hardware': expected a driver that can be mocked, {driver.folder / LAUNCH} has no {{use_mock_hardware}}"
            " among its arguments, and no 'mocked': it would start the real arm; give driver:=FOLDER of one that has"
        )
    return driver


def _programs(rviz: str) -> tuple[Program, ...]:
    if rviz != "true":
        return ()
    if not installed("rviz2"):
        raise LaunchError(
            "argument 'rviz': rviz2 is not installed: sudo apt-get install ros-$ROS_DISTRO-rviz2, or rviz:=false"
        )
    return (Program("rviz2", "rviz2", ("-d", absolute(str(config("arm.rviz"))))),)
