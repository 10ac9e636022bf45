"""Where calibrating listens and sends, as the parameters of wm_guard and wm_perception say, or the robot's profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wm_bringup.launch_files import GUARD, PERCEPTION, joint_topic_of, said_to
from wm_core.camera_model import Rectified, rectified_of
from wm_core.robot import RobotProfile


@dataclass(frozen=True)
class Topics:
    """Topics by kind; `{camera}` stands for a camera's name. Empty: the robot's. `aligned_depth`: as the parameter of wm_perception."""

    colour: str = "{camera}/color/image_raw"
    depth: str = "{camera}/aligned_depth_to_color/image_raw"
    info: str = "{camera}/color/camera_info"
    joints: str = ""
    controller: str = ""  # takes trajectories
    aligned_depth: bool = False
    rectified: str = "auto"  # as the parameter of wm_perception

    def rectified_of(self, camera: str) -> Rectified:
        """Which images of a camera are rectified."""
        return rectified_of(self.rectified, self.colour.format(camera=camera), self.depth.format(camera=camera))


def topics_of(robot: RobotProfile, files: Sequence[Path], given: Mapping[str, Any]) -> Topics:
    """Topics of parameter files, later ones win; `given`, by the fields of Topics, comes before them, what is empty does not.

    Raises ConfigError, OSError and yaml.YAMLError for a file that cannot be read, and ConfigError where no joints are given and the files
    say different topics of them to the nodes that read them.
    """
    seen, moved = said_to(PERCEPTION, files), said_to(GUARD, files)
    found: dict[str, Any] = {kind: seen.get(f"{kind}_topic", "") for kind in ("colour", "depth", "info")}
    found |= {name: seen[name] for name in ("aligned_depth", "rectified") if name in seen}
    found["joints"] = given.get("joints") or joint_topic_of(files, robot.joint_topic)
    found["controller"] = moved.get("trajectory_topic") or robot.controller_topic
    found |= {name: value for name, value in given.items() if value}
    return Topics(**{name: value for name, value in found.items() if value})
