"""What a complete recording of wm holds, and how a recorder that finds other topics chooses among them. Pure: no ROS."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Reliability and durability that are expected of the publishers (docs/architecture.md): sensor data, state, latched.
SENSOR, STATE, LATCHED = "sensor", "state", "latched"
PARAMETERS = "wm/parameters"


@dataclass(frozen=True)
class Expected:
    """A topic that is listened to before anybody publishes on it, so that its first message is recorded too."""

    name: str  # relative
    type: str
    kind: str = STATE


TOPICS = (
    Expected("joint_states", "sensor_msgs/msg/JointState"),
    Expected("arm_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory"),
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
CAMERA_TOPICS = {
    "color/image_raw": "sensor_msgs/msg/Image",
    "color/camera_info": "sensor_msgs/msg/CameraInfo",
    "aligned_depth_to_color/image_raw": "sensor_msgs/msg/Image",
}


def complete(cameras: Iterable[str]) -> tuple[Expected, ...]:
    """Topics of a complete recording with cameras of these names."""
    images = (Expected(f"{camera}/{name}", kind, SENSOR) for camera in cameras for name, kind in CAMERA_TOPICS.items())
    return (*images, *TOPICS)


@dataclass(frozen=True)
class Choice:
    """Which of the topics that exist are recorded. Regular expressions are searched for anywhere in the full name."""

    names: frozenset[str] = frozenset()  # full names
    everything: bool = False  # all but hidden ones: with a part that begins with "_"
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
        return self.everything and not any(part.startswith("_") for part in topic.split("/"))
