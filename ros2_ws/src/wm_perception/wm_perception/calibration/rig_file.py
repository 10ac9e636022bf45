"""Writing a camera's pose into a rig file: in one rename, and the rest of the file stays as a person wrote it."""

import os
from pathlib import Path

import numpy as np
import yaml

from wm_core.atomic import sync_folder, write_synced
from wm_core.camera_model import Lens
from wm_core.rig import CameraRig, RigError
from wm_core.robot import TABLE, RobotProfile
from wm_core.rotations import parts_of, quaternion_of
from wm_perception.calibration.lens import fov_y_deg

_DIGITS = 6  # of metres and quaternions


def with_camera(text: str, name: str, pose: np.ndarray, lens: Lens | None = None) -> str:
    """The text of a rig file with another pose (4, 4) of a camera, in the file's frame, and field of view and size of a lens, if one
    is given.

    Comments and order are kept. Raises RigError for a camera that is not in it.
    """
    rotation, position = parts_of(pose)
    orientation = "[" + ", ".join(f"{value:.{_DIGITS}f}" for value in quaternion_of(rotation)) + "]"
    seen = {} if lens is None else {"fov_y_deg": f"{fov_y_deg(lens):.4f}", "width": lens.width, "height": lens.height}
    edits = []
    for key, value in _camera_node(text, name).value:
        span = (value.start_mark.index, value.end_mark.index)
        if key.value == "position":
            edits.append((*span, "[" + ", ".join(f"{each:.{_DIGITS}f}" for each in position) + "]"))
        elif key.value in ("look_at", "orientation"):
            edits.append((key.start_mark.index, span[1], f"orientation: {orientation}"))
        elif key.value in seen:
            edits.append((*span, str(seen[key.value])))
    for start, end, new in sorted(edits, reverse=True):
        kept = text[start:end]
        text = (
            text[:start] + new + kept[len(kept.rstrip()) :] + text[end:]
        )  # a list in block style ends after its line's end
    return text


def write_camera(file: Path, robot: RobotProfile, name: str, pose: np.ndarray, lens: Lens | None = None) -> None:
    """Put a camera's pose (4, 4) in the table frame, and what a rig says of its lens, into a rig file, which is in the table's or the
    robot's base frame.

    Raises RigError where the file is no rig of this robot; then, and when killed at any moment, it stays as it was.
    """
    rig = CameraRig.load(file)
    rig.in_table_frame(robot)
    if rig.frame_id not in (robot.table_frame, TABLE):
        pose = np.linalg.inv(robot.T_table_base) @ pose
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        write_synced(part, with_camera(file.read_text(), name, pose, lens))
        written = CameraRig.load(part)[name].T_table_optical
        if not np.allclose(written, pose, atol=1e-4):
            raise RigError(f"{file}: expected to read the pose that was written, got another; write it by hand")
        part.replace(file)
        sync_folder(file.parent)
    finally:
        part.unlink(missing_ok=True)


def _camera_node(text: str, name: str) -> yaml.MappingNode:
    root = yaml.compose(text)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value == "cameras":
            for camera in value.value:
                if any(field.value == "name" and each.value == name for field, each in camera.value):
                    return camera
    raise RigError(f"expected a camera '{name}' in the rig")
