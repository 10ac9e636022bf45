"""What a complete recording of wm holds, and how a recorder that finds other topics chooses among them. Pure: no ROS."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

# Reliability and durability that are expected of the publishers (docs/architecture.md): sensor data, state, latched.
SENSOR, STATE, LATCHED = "sensor", "state", "latched"
PARAMETERS = "wm/parameters"


@dataclass(frozen=True)
class Expected:
    """A topic that is listened to before anybody publishes on it, so that its first message is recorded too."""

    name: str  # relative
    type: str
    kind: str = STATE
    needed: bool = False  # a recording without it is not complete: its silence is reported


JOINTS, CONTROLLER = "joint_states", "arm_controller/joint_trajectory"
TOPICS = (
    Expected(JOINTS, "sensor_msgs/msg/JointState", needed=True),
    Expected(CONTROLLER, "trajectory_msgs/msg/JointTrajectory"),
    Expected("ground_truth/object_pose", "geometry_msgs/msg/PoseStamped"),
    Expected("clock", "rosgraph_msgs/msg/Clock", SENSOR),
    Expected("wm/observation", "wm_msgs/msg/Observation"),
    Expected("wm/belief", "wm_msgs/msg/Belief"),
    Expected("wm/plan", "wm_msgs/msg/Plan"),
    Expected("wm/command", "wm_msgs/msg/Command"),
    Expected("wm/executed", "wm_msgs/msg/Command"),
    Expected("wm/prediction_error", "wm_msgs/msg/PredictionError"),
    Expected("wm/goal", "wm_msgs/msg/GoalEvent"),
    Expected("wm/episode", "wm_msgs/msg/Episode"),
    Expected("wm/intervention", "wm_msgs/msg/Intervention"),
    Expected("wm/drift", "wm_msgs/msg/Drift"),
    Expected("wm/active_bundle", "wm_msgs/msg/ActiveBundle", LATCHED),
    Expected("wm/e_stopped", "std_msgs/msg/Bool", LATCHED),
    Expected("diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
    Expected(PARAMETERS, "rcl_interfaces/msg/ParameterEvent", LATCHED),  # last: see wm_core.lifecycle
)
CAMERA_TOPICS = {  # by the parameter of wm_perception that says where they are: topics by a camera's name, and types
    "colour_topic": ("{camera}/color/image_raw", "sensor_msgs/msg/Image"),
    "info_topic": ("{camera}/color/camera_info", "sensor_msgs/msg/CameraInfo"),
    "depth_topic": ("{camera}/aligned_depth_to_color/image_raw", "sensor_msgs/msg/Image"),
}


def complete(
    cameras: Iterable[str],
    patterns: Mapping[str, str] | None = None,
    joints: str = JOINTS,
    controller: str = CONTROLLER,
) -> tuple[Expected, ...]:
    """Topics of a complete recording with cameras of these names; `patterns`: where their topics are, as in CAMERA_TOPICS."""
    where = {name: pattern for name, (pattern, _) in CAMERA_TOPICS.items()} | dict(patterns or {})
    images = (
        Expected(where[name].format(camera=camera), kind, SENSOR, needed=True)
        for camera in cameras
        for name, (_, kind) in CAMERA_TOPICS.items()
    )
    own = {JOINTS: joints, CONTROLLER: controller}
    return (*images, *(replace(each, name=own.get(each.name, each.name)) for each in TOPICS))


@dataclass(frozen=True)
class Choice:
    """Which of the topics that exist are recorded. Regular expressions are searched for anywhere in the full name."""

    names: frozenset[str] = frozenset()  # full names
    everything: bool = False  # all but hidden ones
    regex: str = ""
    exclude: str = ""

    def __post_init__(self) -> None:
        for option in ("regex", "exclude"):
            try:
                re.compile(getattr(self, option))
            except re.error as error:
                raise ValueError(
                    f"{option}: expected a regular expression, got {getattr(self, option)!r}: {error}"
                ) from error

    def __contains__(self, topic: str) -> bool:
        if self.exclude and re.search(self.exclude, topic):
            return False
        if topic in self.names or (self.regex and re.search(self.regex, topic)):
            return True
        return self.everything and not hidden(topic)


def hidden(topic: str) -> bool:
    """Whether a topic is a tool's own, by ROS 2's convention: a part of its name begins with "_"."""
    return any(part.startswith("_") for part in topic.split("/"))
