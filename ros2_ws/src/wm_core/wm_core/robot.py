"""Robots as data: what is particular to an arm, its tool and how it stands at the table. Read from `robots/NAME/profile.yaml`.

All positions are in the table frame (x, y along the table's edges, its top at z = 0) unless said otherwise; a profile
says how the base stands in it. Angles are degrees in the file, where people read them, and radians here.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.checked_yaml import load_checked
from wm_core.paths import robots_dir
from wm_core.robot_parts import (
    Box,
    Gripper,
    HalfSpace,
    Home,
    KeepOutBox,
    Limits,
    MaskPart,
    Mount,
    Range,
    Tool,
)
from wm_core.robot_schema import SCHEMA
from wm_core.rotations import pose_of, rotation_of
from wm_core.task import Region

DEFAULT_ROBOT = "panda"
TABLE = "table"  # the table frame, where a profile gives it no other name; in rig files whatever its name
PROFILE = "profile.yaml"


def controller_states(trajectory_topic: str) -> str:
    """The topic on which a joint_trajectory_controller says that it is active, beside the one on which it takes trajectories."""
    folder, slash, _ = trajectory_topic.rpartition("/")
    return f"{folder}{slash}controller_state"


class RobotError(ValueError):
    """A robot profile or description that cannot be used: names the file and the field."""


@dataclass(frozen=True)
class RobotProfile:
    """A robot at the table. Names of joints and links carry the prefix already."""

    name: str
    description: str  # for people
    file: Path
    urdf: str  # path or package URI of the URDF file, or empty: it comes on `urdf_topic`
    urdf_topic: str
    urdf_text: str  # what came on the topic; see `published`
    prefix: str
    joints: tuple[str, ...]  # of the arm, from the base to the tool
    base_frame: str
    T_table_base: np.ndarray  # (4, 4) pose of the base frame in the table frame
    table_frame: str
    tool: Tool
    home: Home
    reach: Range  # (4,) x, y, z [m], yaw [rad] where the tool may be commanded
    pitch: tuple[float, float]  # [rad] to which the tool may be commanded; 0 is straight down
    workspace: Range  # (3,) x, y, z [m] that the tool may never leave
    keep_out: tuple[HalfSpace | KeepOutBox, ...]  # for every part of the arm
    tool_speed: float  # [m/s] fastest tool
    gripper: Gripper | None
    controller_topic: str
    joint_topic: str
    limits: Limits
    mask: tuple[MaskPart, ...]
    servo_gain: float  # of the simulated servos: share of the position error made good in a physics step

    @property
    def reach_region(self) -> Region:
        """Where the tool may be commanded in the plane of the table."""
        return Region(("x", "y"), tuple(self.reach.lower[:2].tolist()), tuple(self.reach.upper[:2].tolist()))

    @property
    def opening(self) -> tuple[float, float]:
        """[m] between the fingers when closed and when open; 0 without a gripper."""
        return self.gripper.opening if self.gripper else (0.0, 0.0)

    @property
    def tool_bounds(self) -> Range:
        """Lower and upper bounds (6,) of tool states to which the tool may be commanded [m, rad]."""
        low, high = zip(self.pitch, self.opening, strict=True)
        return Range(np.array([*self.reach.lower, *low]), np.array([*self.reach.upper, *high]))

    def published(self, urdf: str) -> "RobotProfile":
        """The robot with the text of a URDF in place of its own, as it comes on a topic."""
        return replace(self, urdf="", urdf_text=urdf)


def load_robot(name_or_path: str | Path = DEFAULT_ROBOT, prefix: str = "") -> RobotProfile:
    """A robot by its name in wm_description/robots, or by the path of its folder or profile; `./NAME` is a folder.

    `prefix`: of its links and joints, in place of the profile's; empty: the profile's. Raises RobotError that names file and field.
    """
    file = _profile_file(name_or_path)
    try:
        data = load_checked(file, SCHEMA, RobotError)
    except OSError as error:
        raise RobotError(f"{file}: expected YAML, got {error}") from error
    return _profile(file, {**data, "prefix": prefix} if prefix else data)


def robot_names() -> list[str]:
    """Names of the robots that are shipped."""
    return sorted(path.parent.name for path in robots_dir().glob(f"*/{PROFILE}"))


def _pose(data: dict[str, Any]) -> np.ndarray:
    return pose_of(rotation_of(data["rpy_deg"]), data["position"])


def _profile_file(name_or_path: str | Path) -> Path:
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml"):
        file = path
    elif os.sep in str(name_or_path) or (path.is_dir() and str(path) not in robot_names()):
        file = path / PROFILE
    else:
        file = robots_dir() / path / PROFILE
    if not file.is_file():
        known = ", ".join(robot_names())
        raise RobotError(f"expected a robot profile, {file} does not exist; known robots: {known}")
    return file.absolute()


def _profile(file: Path, data: dict[str, Any]) -> RobotProfile:
    prefix, joints, tool, home = data.get("prefix", ""), data["joints"], data["tool"], data["home"]
    names = _Names(prefix)
    topics = {"controller": "arm_controller/joint_trajectory", "joint_states": "joint_states", **data.get("topics", {})}
    own = isinstance(data["urdf"], str)
    if len(home["joints"]) != len(joints):
        raise RobotError(f"{file}: home.joints: expected {len(joints)} angles, one a joint, got {len(home['joints'])}")
    at = home["tool"]
    return RobotProfile(
        name=data["name"],
        description=data.get("description", ""),
        file=file,
        urdf=_urdf(file, data["urdf"]) if own else "",
        urdf_topic="" if own else data["urdf"]["topic"],
        urdf_text="",
        prefix=prefix,
        joints=names.all(joints),
        base_frame=names.one(data["base"]["frame"]),
        T_table_base=_pose(data["base"]),
        table_frame=data.get("table_frame", TABLE),
        tool=Tool(
            names.one(tool["link"]),
            float(tool["height"]),
            rotation_of(tool["rpy_deg"]),
            tuple(Box(np.array(box["position"], float), np.array(box["size"], float)) for box in tool["boxes"]),
            Mount(names.one(tool["mount"]["link"]), _pose(tool["mount"])) if "mount" in tool else None,
        ),
        home=Home(
            np.array(home["joints"], float),
            np.array([at[0], at[1], at[2] if len(at) > 2 else tool["height"]], float),
            float(np.radians(at[3])) if len(at) > 3 else 0.0,
        ),
        reach=_reach(file, data["reach"]),
        pitch=_pitch(file, data["reach"]),
        workspace=_range(file, "workspace", [data["workspace"][axis] for axis in "xyz"]),
        keep_out=_keep_out(file, data.get("keep_out", {})),
        tool_speed=float(data["tool_speed"]),
        gripper=_gripper(file, names, data.get("gripper")),
        controller_topic=topics["controller"],
        joint_topic=topics["joint_states"],
        limits=_limits(file, data.get("limits", {}), len(joints)),
        mask=tuple(MaskPart(names.all(part["links"]), float(part["margin"])) for part in data["mask"]),
        servo_gain=float(data.get("servo_gain", 0.6)),
    )


@dataclass(frozen=True)
class _Names:
    prefix: str

    def one(self, name: str) -> str:
        return self.prefix + name

    def all(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self.one, names))


def _urdf(file: Path, value: str) -> str:
    """A package URI as it is, a path relative to the profile made absolute."""
    return value if "://" in value else str(file.parent / Path(value).expanduser())


def _range(file: Path, field: str, pairs: Sequence[Sequence[float]]) -> Range:
    lower, upper = np.array(pairs, float).T
    if not (lower < upper).all():
        raise RobotError(f"{file}: {field}: expected lower < upper, got {[list(pair) for pair in pairs]}")
    return Range(lower, upper)


def _reach(file: Path, data: dict[str, Any]) -> Range:
    pairs = [*(data[axis] for axis in "xyz"), np.radians(data["yaw_deg"]).tolist()]
    lower, upper = np.array(pairs, float).T
    if not ((lower[:2] < upper[:2]).all() and (lower[2:] <= upper[2:]).all()):  # a pusher may know one height, one yaw
        raise RobotError(f"{file}: reach: expected lower < upper, got {data}")
    return Range(lower, upper)


def _pitch(file: Path, data: dict[str, Any]) -> tuple[float, float]:
    low, high = data.get("pitch_deg", [0.0, 0.0])
    if not low <= 0 <= high:
        raise RobotError(f"{file}: reach.pitch_deg: expected lower <= 0 <= upper, got {data['pitch_deg']}")
    return float(np.radians(low)), float(np.radians(high))


def _gripper(file: Path, names: _Names, data: dict[str, Any] | None) -> Gripper | None:
    if data is None:
        return None
    closed, opened = data["range"]
    if closed == opened:
        raise RobotError(f"{file}: gripper.range: expected two positions, closed and open, got {data['range']}")
    # Of two fingers that slide apart, each joint moves one.
    shut, wide = data.get("opening", [0.0, abs(opened - closed) * len(data["joints"])])
    if not 0 <= shut < wide:
        raise RobotError(f"{file}: gripper.opening: expected 0 <= closed < open, got {data['opening']}")
    return Gripper(
        names.all(data["joints"]),
        (float(closed), float(opened)),
        float(data["force"]),
        data["topic"],
        (float(shut), float(wide)),
    )


def _keep_out(file: Path, data: dict[str, Any]) -> tuple[HalfSpace | KeepOutBox, ...]:
    half_spaces = []
    for item in data.get("half_spaces", []):
        length = float(np.linalg.norm(item["normal"]))
        if length < 1e-6:
            raise RobotError(f"{file}: keep_out.half_spaces: '{item['name']}': expected a normal that is not zero")
        normal = np.array(item["normal"], float) / length
        half_spaces.append(HalfSpace(item["name"], normal, float(item["offset"]) / length))
    boxes = [KeepOutBox(item["name"], _pose(item), np.array(item["size"], float)) for item in data.get("boxes", [])]
    return (*half_spaces, *boxes)


def _limits(file: Path, data: dict[str, Any], count: int) -> Limits:
    for field, values in data.items():
        if len(values) != count:
            raise RobotError(f"{file}: limits.{field}: expected {count} entries, one a joint, got {len(values)}")
    position = _range(file, "limits.position", data["position"]) if "position" in data else None
    arrays = {field: np.array(values, float) for field, values in data.items() if field != "position"}
    return Limits(position, **arrays)
