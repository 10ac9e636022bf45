"""The arguments of the launch files: names, defaults, descriptions, and which values they take."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wm_core.paths import share
from wm_core.robot import DEFAULT_ROBOT
from wm_core.task import DEFAULT_TASK
from wm_planner.planners import PLANNERS
from wm_planner.policy import POLICY

BOOLEANS = ("true", "false")
PICTURE = "runs/latest.png"


class LaunchError(ValueError):
    """A launch argument that cannot be used: names it, what was expected and what came."""


@dataclass(frozen=True)
class Argument:
    """A launch argument; all values are strings, as in ROS 2 launch."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    pattern: str = ""  # regular expression of allowed values, "" allows all

    def check(self, value: str) -> str:
        if self.choices and value not in self.choices:
            raise LaunchError(f"argument '{self.name}': expected one of {', '.join(self.choices)}, got '{value}'")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise LaunchError(f"argument '{self.name}': expected {self.description}, got '{value}'")
        return value


_NUMBER = r"[0-9]+\.?[0-9]*"

# In every launch file.
ROBOT = Argument("robot", DEFAULT_ROBOT, "a robot of wm_description/robots, or the path of a profile")
TASK = Argument("task", DEFAULT_TASK, "a task of wm_tasks/tasks, or the path of a task file")
BUNDLE = Argument(
    "bundle",
    "",
    "the folder of a model bundle; empty: the shipped one; promoted: that of the registry, followed when it changes",
)
PLANNER = Argument(
    "planner", "icem", "the search algorithm, or the bundle's policy without a search", (*PLANNERS, POLICY)
)
RECORD = Argument(
    "record", "", "a new folder for a rosbag2 (MCAP) of the run; true: bags/ and the time; empty: no recording"
)
NAMESPACE = Argument("namespace", "", "a namespace for all nodes", pattern=r"(/?[A-Za-z_][A-Za-z0-9_]*)*/?")
TF_PREFIX = Argument("tf_prefix", "", "before the names of the arm's links and joints", pattern="[A-Za-z0-9_]*")
COMPOSED = Argument("composed", "false", "true: one process for perception, dynamics and planner", BOOLEANS)
LOG_LEVEL = Argument("log_level", "info", "the log level of all nodes", ("debug", "info", "warn", "error", "fatal"))

ARGUMENTS = (
    Argument("world", "tabletop_block", "a world of sim_worlds/worlds, or the path of a world file"),
    ROBOT,
    TASK,
    Argument(
        "perception",
        "pixels",
        "geometry: scenes of several objects, seen by the cameras' depth: task:= one of wm_tasks/scene_tasks, or world:= one of"
        " sim_worlds/scenes with episodes:=none; truth: the same, known by the simulator's truth with noise",
        ("pixels", "geometry", "truth"),
    ),
    Argument("rig", "", "a camera rig of sim_worlds/rigs, or the path of a rig file; empty: the world's"),
    BUNDLE,
    PLANNER,
    Argument(
        "episodes",
        "",
        "a number of episodes after which to stop; empty: until stopped; none: no goals but those that you send (./wm goal X Y)",
        pattern=r"[0-9]*|none",
    ),
    Argument(
        "explore",
        "",
        "minutes of robot time in which to explore by itself, in place of episodes; 0: until stopped",
        pattern=r"[0-9]*\.?[0-9]*",
    ),
    Argument("seed", "10000", "the seed of the first episode, a whole number", pattern=r"[0-9]+"),
    Argument("headless", "auto", "auto: with the simulator's window where there is a display", ("auto", *BOOLEANS)),
    Argument(
        "picture",
        "auto",
        "a PNG file with the camera's picture beside the imagined future, written anew every second; false: none;"
        f" auto: {PICTURE} where there is no window",
    ),
    Argument(
        "real_time",
        "true",
        "false: lockstep, as fast as the machine computes; the same messages give the same commands",
        BOOLEANS,
    ),
    Argument("report", "", "a JSON file for the results; a PNG and an MP4 are written beside it"),
    RECORD,
    Argument(
        "snapshot",
        "",
        "a folder for bags of the seconds around what is surprising; true: bags/ and the time; empty: none; not with record",
    ),
    COMPOSED,
    NAMESPACE,
    Argument("params_file", "", "a parameter file read after config/arm_sim.yaml"),
    LOG_LEVEL,
)


REAL_ARGUMENTS = (
    ROBOT,
    Argument("rig", "", "the rig file of your cameras (./wm calibrate-cameras), or the name of one in sim_worlds/rigs"),
    TASK,
    Argument(
        "perception",
        "pixels",
        "geometry: scenes of several objects, seen by the cameras' depth; task:= one of wm_tasks/scene_tasks says which axes are used",
        ("pixels", "geometry"),
    ),
    BUNDLE,
    PLANNER,
    Argument(
        "driver",
        "auto",
        "what drives the arm: a folder as in wm_bringup/examples, by name or path; auto: the one that names the robot, if any;"
        " none: the arm's topics are those of the robot's profile",
    ),
    Argument(
        "camera",
        "",
        "what drives the cameras, started too: a folder as in wm_bringup/examples; empty: not started here",
    ),
    Argument("robot_ip", "", "the address of the arm: its driver is started too; empty: it runs already"),
    Argument("use_mock_hardware", "false", "true: the driver is started with an arm that is none", BOOLEANS),
    TF_PREFIX,
    Argument(
        "controller", "", "the controller that takes trajectories; empty: the driver's, or the robot profile's topic"
    ),
    NAMESPACE,
    RECORD,
    Argument(
        "explore",
        "",
        "minutes in which to explore by itself once the arm is started; 0: until stopped; empty: goals by ./wm goal X Y",
        pattern=r"[0-9]*\.?[0-9]*",
    ),
    Argument("autostart", "false", "true: the arm may move without ./wm start", BOOLEANS),
    Argument(
        "speed",
        "reduced",
        "reduced: the tool at most at 0.25 m/s (ISO 10218); full: as the robot's profile says",
        ("reduced", "full"),
    ),
    COMPOSED,
    Argument("rviz", "false", "true: RViz, where it is installed, with config/arm.rviz", BOOLEANS),
    Argument("params_file", "", "a parameter file read last, after those of config/ and of driver and camera"),
    LOG_LEVEL,
)


STAND_IN_ARGUMENTS = (
    ROBOT,
    Argument("world", "tabletop_block", "a world of sim_worlds/worlds, or the path of a world file"),
    Argument("task", "", "a task of wm_tasks/scene_tasks, in whose world its objects lie; empty: the one of the world"),
    Argument(
        "rig",
        "one_camera",
        "a camera rig of sim_worlds/rigs, or the path of a rig file: the same as of arm_real.launch.py",
    ),
    Argument(
        "camera", "realsense", "what the cameras' driver publishes: a profile of sim_worlds/cameras, or the path of one"
    ),
    Argument(
        "sensor", "", "a sensor model of sim_worlds/sensors, or the path of one; empty: the rig's, or an ideal camera"
    ),
    Argument("controller", "", "the controller that takes trajectories; empty: the robot profile's topic"),
    Argument(
        "follow",
        "",
        "a topic of joint states where the arm goes, as of a controller manager with mocked hardware; empty: a controller of its own",
    ),
    Argument(
        "gripper",
        "auto",
        "true: a gripper with joint states of its own, on the same topic; auto: where the robot's profile has a gripper",
        ("auto", *BOOLEANS),
    ),
    Argument("arm_lag", "0", "[s] time constant of the arm behind its controller, 0 to 0.5", pattern=_NUMBER),
    Argument("arm_delay", "0", "[s] dead time of the arm behind its controller, 0 to 0.5", pattern=_NUMBER),
    Argument("clock_offset", "0", "[s] the robot's clock ahead of this machine's, -10 to 10", pattern=f"-?{_NUMBER}"),
    Argument("seed", "10000", "where the object lies first, a whole number", pattern=r"[0-9]+"),
    Argument("gui", "false", "true: the simulator's window", BOOLEANS),
    NAMESPACE,
    Argument("params_file", "", "a parameter file read after config/robot_stand_in.yaml"),
    LOG_LEVEL,
)


CONTROL_ARGUMENTS = (
    ROBOT,
    Argument(
        "use_mock_hardware", "true", "true: an arm that does what it is sent; false: the plugin of its maker", BOOLEANS
    ),
    Argument("robot_ip", "", "the address of the arm, where it is not mocked"),
    TF_PREFIX,
    NAMESPACE,
    LOG_LEVEL,
)


def is_asked_for(file: str, command: Sequence[str]) -> bool:
    """Whether a command line of `ros2 launch` is for this launch file of wm_bringup itself, by package or by path: not for one of another
    package, of the same name, that includes it.
    """
    mine = share("wm_bringup") / "launch" / file
    pairs = zip(("", *command), command, strict=False)
    return any(
        Path(word).name == file and (before == "wm_bringup" or Path(word).resolve() == mine.resolve())
        for before, word in pairs
    )


def given_words(words: Sequence[str]) -> dict[str, str]:
    """The `name:=value` words of a command line; other words are skipped."""
    pairs = [word.partition(":=") for word in words]
    return {name: value for name, separator, value in pairs if separator and name}


def check_arguments(given: Mapping[str, str], arguments: Sequence[Argument] = ARGUMENTS) -> dict[str, str]:
    """Values of all arguments; raises LaunchError for unknown names and bad values."""
    known = {argument.name: argument for argument in arguments}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise LaunchError(f"unknown argument '{unknown[0]}'; known are {', '.join(known)}")
    return {name: argument.check(str(given.get(name, argument.default))) for name, argument in known.items()}
