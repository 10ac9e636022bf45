"""Camera rigs: which cameras look at the table, from where. One file serves the simulator and perception."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.checked_yaml import load_checked
from wm_core.robot import TABLE, RobotProfile
from wm_core.rotations import pose_of, rotation_of_quaternion
from wm_core.sensor_spec import SENSOR_SCHEMA, SensorSpec, sensor_of

_VECTOR = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["frame_id", "cameras"],
    "additionalProperties": False,
    "properties": {
        "frame_id": {"type": "string"},
        "sensor": SENSOR_SCHEMA,
        "cameras": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "width", "height", "fov_y_deg", "position"],
                "oneOf": [{"required": ["look_at"]}, {"required": ["orientation"]}],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
                    "width": {"type": "integer", "minimum": 8},
                    "height": {"type": "integer", "minimum": 8},
                    "fov_y_deg": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 180},
                    "position": _VECTOR,
                    "look_at": _VECTOR,
                    "orientation": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
                    "near": _POSITIVE,
                    "far": _POSITIVE,
                    "depth_unit": _POSITIVE,
                    "sensor": SENSOR_SCHEMA,
                },
            },
        },
    },
}


class RigError(ValueError):
    """A rig file that cannot be used: names the file and the field."""


@dataclass(frozen=True)
class Camera:
    """A calibrated pinhole camera; the optical frame has z forward, x right, y down (REP-103)."""

    name: str
    width: int
    height: int
    K: np.ndarray  # (3, 3) intrinsics [px]
    T_table_optical: np.ndarray  # (4, 4) pose of the optical frame in the base frame
    near: float  # [m] nearest depth
    far: float  # [m] farthest depth
    depth_unit: float | None = (
        None  # [m] of one in its driver's depth images; None: 1 mm in 16UC1, 1 m in 32FC1 (REP-118)
    )
    sensor: SensorSpec | None = None  # how a simulator's camera differs from an ideal one; None: in nothing


@dataclass(frozen=True)
class CameraRig:
    """All cameras of a robot cell, with poses in `frame_id`."""

    frame_id: str
    cameras: tuple[Camera, ...]

    @staticmethod
    def load(path: str | Path) -> "CameraRig":
        """Read a rig file; raises RigError naming file and field."""
        file = Path(path)
        try:
            data = load_checked(file, _SCHEMA, RigError)
        except OSError as error:
            raise RigError(f"expected a camera rig file, cannot read {file}: {error.strerror}") from error
        cameras = tuple(_camera(file, {"sensor": data.get("sensor")} | entry) for entry in data["cameras"])
        names = [camera.name for camera in cameras]
        if len(set(names)) != len(names):
            raise RigError(f"{file}: expected different camera names, got {names}")
        return CameraRig(data["frame_id"], cameras)

    def only(self, names: Sequence[str]) -> "CameraRig":
        """The rig with just the named cameras, in the rig's order."""
        known = [camera.name for camera in self.cameras]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise RigError(f"expected camera names out of {known}, got {list(names)}")
        return CameraRig(self.frame_id, tuple(camera for camera in self.cameras if camera.name in names))

    def with_sensor(self, sensor: SensorSpec) -> "CameraRig":
        """The rig with one sensor model for all its cameras."""
        return replace(self, cameras=tuple(replace(camera, sensor=sensor) for camera in self.cameras))

    def in_table_frame(self, robot: RobotProfile) -> "CameraRig":
        """The rig with poses in the robot's table frame (by its name, or as `table`); one in its base frame is converted.

        Raises RigError for a rig in any other frame.
        """
        if self.frame_id in (robot.table_frame, TABLE):
            return replace(self, frame_id=robot.table_frame)
        if self.frame_id != robot.base_frame:
            raise RigError(
                f"expected a camera rig in the table frame '{robot.table_frame}' or the base frame '{robot.base_frame}' of"
                f" robot '{robot.name}', got '{self.frame_id}'; change frame_id of the rig"
            )
        cameras = (
            replace(camera, T_table_optical=robot.T_table_base @ camera.T_table_optical) for camera in self.cameras
        )
        return CameraRig(robot.table_frame, tuple(cameras))

    def __getitem__(self, name: str) -> Camera:
        return self.only([name]).cameras[0]


def _camera(file: Path, entry: dict[str, Any]) -> Camera:
    position = np.asarray(entry["position"], float)
    if "look_at" in entry:
        rotation = looking_at(position, np.asarray(entry["look_at"], float))
    else:
        rotation = _rotation(np.asarray(entry["orientation"], float), f"{file}: camera {entry['name']}")
    pose = pose_of(rotation, position)
    K = intrinsics(entry["width"], entry["height"], entry["fov_y_deg"])
    near, far = entry.get("near", 0.1), entry.get("far", 3.0)
    if near >= far:
        raise RigError(f"{file}: camera {entry['name']}: expected near < far, got {near} and {far}")
    sensor = None if entry["sensor"] is None else sensor_of(entry["sensor"])
    return Camera(entry["name"], entry["width"], entry["height"], K, pose, near, far, entry.get("depth_unit"), sensor)


def intrinsics(width: int, height: int, fov_y_deg: float) -> np.ndarray:
    """K (3, 3) [px] of a pinhole in the middle of the image; pixel centres sit at integers."""
    focal = height / (2 * np.tan(np.radians(fov_y_deg) / 2))
    return np.array([[focal, 0, width / 2 - 0.5], [0, focal, height / 2 - 0.5], [0, 0, 1]])


def looking_at(position: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) of an optical frame at `position` that looks at `target` with the base's z axis up in the image."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-6:  # looking straight down or up: base x is up in the image
        right = np.cross(forward, [1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward], 1)


def _rotation(quaternion: np.ndarray, where: str) -> np.ndarray:
    norm = float(np.linalg.norm(quaternion))
    if abs(norm - 1) > 1e-2:
        raise RigError(f"{where}: expected a unit quaternion x y z w, got one of length {norm:.3f}")
    return rotation_of_quaternion(*quaternion)
