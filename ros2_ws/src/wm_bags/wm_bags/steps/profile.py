"""A profile says which topic of a bag plays which role; without one, wm's own topics are meant."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wm_bags.storage.errors import BagError
from wm_core.camera_model import CHOICES
from wm_core.checked_yaml import faults, load_yaml
from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT

COLOUR, DEPTH, INFO = "/color/image_raw", "/aligned_depth_to_color/image_raw", "/color/camera_info"
SOURCES = {
    "executed": "wm_msgs/Command: what wm's guard sent to the arm",
    "tool_pose": "geometry_msgs/PoseStamped: commanded tool position in the robot's base frame",
    "joint_trajectory": "trajectory_msgs/JointTrajectory: what the arm's controller was sent",
    "joint_positions": "commanded joint positions: JointState, Float64MultiArray in the robot's order, or a controller's state",
    "measured": "the measured joint positions stand for the commanded ones",
    "none": "no commands: the bag is video",
}
ANOTHER_ROBOT = "is it another robot's? `robot: NAME` in a profile says whose (./wm bag profile BAG proposes one)"
_TOPIC = {"type": "string", "minLength": 1}
_OPTIONAL = {"type": ["string", "null"]}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "rig", "cameras", "joints", "motion"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": 1},
        "rig": _TOPIC,
        "robot": _TOPIC,
        "intrinsics": {"enum": ["rig", "camera_info"]},
        "depth_unit": {"type": "number", "exclusiveMinimum": 0},
        "aligned_depth": {"type": "boolean"},
        "rectified": {"enum": [*CHOICES, True, False]},  # YAML's true without quotes is no text
        "tolerance": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.05},
        "cameras": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "required": ["color", "depth", "info"],
                "additionalProperties": False,
                "properties": {"color": _TOPIC, "depth": _TOPIC, "info": _TOPIC},
            },
        },
        "joints": {
            "type": "object",
            "required": ["topic"],
            "additionalProperties": False,
            "properties": {
                "topic": _TOPIC,
                "unit": {"enum": ["rad", "deg"]},
                "names": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "motion": {
            "type": "object",
            "required": ["source"],
            "additionalProperties": False,
            "properties": {"source": {"enum": list(SOURCES)}, "topic": _TOPIC},
        },
        "object": _OPTIONAL,
        "episodes": _OPTIONAL,
        "rates": {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
    },
}


@dataclass(frozen=True)
class CameraTopics:
    """Topics of one camera: colour image, depth aligned to it, intrinsics."""

    color: str
    depth: str
    info: str


@dataclass(frozen=True)
class Profile:
    """Topics by role. `joint_names`: the bag's name by the robot's, where they differ."""

    rig: Path
    cameras: Mapping[str, CameraTopics]
    joints: str = "/joint_states"
    joint_unit: str = "rad"
    joint_names: Mapping[str, str] = field(default_factory=dict)
    source: str = "executed"  # of the motion; see SOURCES
    motion: str = "/wm/executed"
    object: str | None = "/ground_truth/object_pose"
    episodes: str | None = "/wm/episode"
    intrinsics: str = "rig"  # camera_info must agree with the rig; "camera_info": the bag's own are used
    depth_unit: float = 0.001  # [m] of a depth image in 16UC1
    tolerance_ns: int = 50_000_000  # by which the images of one instant may be apart
    rates: Mapping[str, float] = field(default_factory=dict)  # [Hz] that topics should have
    aligned_depth: bool = False  # depth is aligned to colour, although its frame_id says another frame
    rectified: str = "auto"  # whether images are; auto: colour and depth each by its topic's name
    robot: str = DEFAULT_ROBOT  # a name in wm_description/robots or the path of a profile

    @staticmethod
    def default(rig: str | Path = "two_cameras") -> "Profile":
        """wm's own topics, for the cameras of a rig (name or file)."""
        file = rig_path(rig)
        names = [camera.name for camera in CameraRig.load(file).cameras]
        return Profile(
            file, {name: CameraTopics(f"/{name}{COLOUR}", f"/{name}{DEPTH}", f"/{name}{INFO}") for name in names}
        )

    @staticmethod
    def load(path: Path) -> "Profile":
        """Read a profile; a relative rig file is looked for beside it. Raises BagError naming file and field."""
        path = Path(path)
        try:
            content = load_yaml(path, BagError)
        except OSError as error:
            raise BagError(f"{path}: expected a profile, cannot read it: {error.strerror}") from error
        for place, message in faults(_SCHEMA, content):
            raise BagError(
                f"{path}: {place or 'file'}: {message[:200]}; begin with what `./wm bag profile BAG` proposes"
            )
        motion, joints = content["motion"], content["joints"]
        if motion["source"] not in ("measured", "none") and "topic" not in motion:
            raise BagError(f"{path}: motion.topic: expected the topic of {SOURCES[motion['source']]}, got none")
        rig = rig_path(content["rig"])
        if not rig.is_absolute() and not rig.exists():
            rig = path.parent / rig
        return Profile(
            rig,
            {name: CameraTopics(**topics) for name, topics in content["cameras"].items()},
            joints["topic"],
            joints.get("unit", "rad"),
            joints.get("names", {}),
            motion["source"],
            joints["topic"] if motion["source"] == "measured" else motion.get("topic", ""),
            content.get("object"),
            content.get("episodes"),
            content.get("intrinsics", "camera_info"),
            content.get("depth_unit", 0.001),
            round(content.get("tolerance", 0.05) * 1e9),
            content.get("rates", {}),
            content.get("aligned_depth", False),
            str(content.get("rectified", "auto")).lower(),
            content.get("robot", DEFAULT_ROBOT),
        )

    def as_video(self) -> "Profile":
        """Cameras and joints only."""
        return replace(self, source="none", motion="", object=None, episodes=None)

    @property
    def required(self) -> dict[str, str]:
        """What must be in the bag: role by topic."""
        roles: dict[str, str] = {}
        for name, camera in self.cameras.items():
            roles |= {camera.color: f"{name} colour", camera.depth: f"{name} depth", camera.info: f"{name} intrinsics"}
        roles[self.joints] = "joints"
        if self.source not in ("none", "measured"):
            roles[self.motion] = "motion"
        if self.episodes:
            roles[self.episodes] = "episodes"
        return roles

    @property
    def roles(self) -> dict[str, str]:
        """The same with what may be missing."""
        return self.required | ({self.object: "object"} if self.object else {})
