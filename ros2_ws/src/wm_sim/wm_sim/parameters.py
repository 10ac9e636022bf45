"""The parameters of wm_sim: world, robot and pace, and how its drivers differ from ideal ones."""

from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError, Param
from wm_core.robot_source import ROBOT
from wm_core.task import DEFAULT_TASK, load_task
from wm_sim.arm_sim import PHYSICS_HZ
from wm_sim.camera_profile import DEPTH_UNITS, CameraProfile, load_camera_profile
from wm_sim.joint_streams import JointOptions
from wm_sim.lag import ArmLag
from wm_sim.scene_task import PERIOD

AUTO = "auto"
PARAMETERS = (
    Param("world", "tabletop_block", "World: a name in sim_worlds/worlds or the path of a file"),
    Param("task", "", "Task: a name or the path of a file; objects start where it practises; empty: anywhere"),
    Param(
        "scene",
        False,
        "Of several objects: a task of wm_tasks/scene_tasks, or without one a world of sim_worlds/scenes",
    ),
    *ROBOT,
    Param("rig", "", "Camera rig: a name in sim_worlds/rigs or the path of a file; empty: the world's"),
    Param("mode", "real_time", "Pace of time", choices=("real_time", "fast", "lockstep")),
    Param("autostart", False, "Configure and activate by itself, as a driver does that has no life cycle"),
    Param("seed", 0, "Draws the object's first place", 0),
    Param(
        "control_period",
        0.0,
        "[s] Between camera frames; a multiple of the physics step, 1/240 s; 0: the task's",
        0.0,
        2.0,
    ),
    Param("randomise", False, "Draw mass, friction, size and colour at every reset from the world's ranges"),
    Param("start_time", 0.0, "[s] Where simulated time begins, where it is not real time", 0.0, 1e10),
    Param("gui", False, "Show the world in a window (needs a display)"),
    Param("clock_offset", 0.0, "[s] The robot's clock is that far ahead of this machine's, in real time", -10.0, 10.0),
    # -- cameras
    Param("camera", "sim", "What the cameras' driver publishes: a name in sim_worlds/cameras or the path of a file"),
    Param(
        "camera_rate", 0.0, "[Hz] Frames in real time; 0: the camera profile's, or one per control period", 0.0, 240.0
    ),
    Param("image_width", 0, "[px] Another size of images, same shape; 0: the camera profile's, or the rig's", 0, 4096),
    Param(
        "depth_encoding",
        AUTO,
        "REP-118: millimetres or metres; auto: the camera profile's",
        choices=(AUTO, *DEPTH_UNITS),
    ),
    Param("sensor", "", "Sensor model: a name in sim_worlds/sensors or the path of a file; empty: the rig's, or none"),
    Param("camera_clock_offset", 0.0, "[s] The cameras' clock ahead of the robot's", -10.0, 10.0),
    # -- arm
    Param("trajectory_topic", "", "What the arm's controller listens to; empty: as the robot's profile says"),
    Param("joint_topic", "", "Joint states of the arm; empty: as the robot's profile says"),
    Param(
        "follow",
        "",
        "Topic of joint states where the arm goes, as of a controller manager with mocked hardware: it takes no trajectories"
        " and publishes no joint states then; empty: it has a controller of its own",
    ),
    Param("joint_state_rate", 50.0, "[Hz] Joint states; in lockstep they come with the frames", 1.0, 1000.0),
    Param("joint_state_reliability", "reliable", "Of joint states", choices=("reliable", "best_effort")),
    Param(
        "gripper_rate",
        0.0,
        "[Hz] Joint states of the gripper alone, on the same topic; 0: in those of the arm",
        0.0,
        500.0,
    ),
    Param("gripper_joints", [], "Names of the gripper's joints, where the robot's profile has no gripper"),
    Param("gripper_clock_offset", 0.0, "[s] The gripper's clock ahead of the robot's", -10.0, 10.0),
    Param("arm_delay", 0.0, "[s] Dead time of the arm after its controller", 0.0, 0.5),
    Param("arm_lag", 0.0, "[s] Time constant of the arm after its controller", 0.0, 0.5),
    Param("controller_active", True, "The controller is active from the start; else after controller/activate"),
    Param("controller_state_rate", 0.0, "[Hz] What an active controller says of itself; 0: nothing", 0.0, 240.0),
    Param("restart_time", 0.5, "[s] That controller/restart takes", 0.0, 60.0),
)


def camera_profile(node: WmNode) -> CameraProfile:
    """What the cameras' driver publishes."""
    profile, encoding = load_camera_profile(node.value("camera")), node.value("depth_encoding")
    return profile if encoding == AUTO else profile.encoded(encoding)


def control_period(node: WmNode) -> float:
    """[s] that is asked for, or that of the task; where there is none, of the task that is pursued by default."""
    if node.value("scene"):
        return node.value("control_period") or PERIOD
    return node.value("control_period") or load_task(node.value("task") or DEFAULT_TASK).step_duration


def frame_period(node: WmNode, profile: CameraProfile, cameras: int) -> float:
    """[s] between frames. In lockstep they are what time goes by: one per control period."""
    rate = node.value("camera_rate") or profile.rate(cameras)
    return control_period(node) if rate is None or node.value("mode") == "lockstep" else 1 / rate


def joint_options(node: WmNode) -> JointOptions | None:
    """Which joint states are published; None: those of another are followed."""
    if node.value("follow"):
        if node.value("mode") != "real_time":
            raise ConfigError(f"parameter 'follow': expected mode real_time, got {node.value('mode')}")
        return None
    return JointOptions(
        None if node.value("mode") == "lockstep" else node.value("joint_state_rate"),
        node.value("joint_state_reliability") == "best_effort",
        node.value("gripper_rate"),
        tuple(node.value("gripper_joints")),
        node.value("gripper_clock_offset"),
    )


def arm_lag(node: WmNode) -> ArmLag:
    """How the arm is behind its controller."""
    return ArmLag(node.value("arm_delay"), node.value("arm_lag"), PHYSICS_HZ)
