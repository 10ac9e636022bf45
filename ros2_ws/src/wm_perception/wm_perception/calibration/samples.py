"""Views of the board on disk: a folder of images a camera, and the joints at which they were taken.

FOLDER/board.yaml                the board
FOLDER/CAMERA/camera.yaml        intrinsics and distortion, as ROS 2's camera_info_manager has them
FOLDER/CAMERA/0003.png           what it saw
FOLDER/CAMERA/0003.yaml          joints: {NAME: [rad], ...}

The joints are written last, in one rename: an image without them is of a view that was interrupted, and is left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from wm_core.atomic import replace_synced
from wm_core.camera_model import Lens
from wm_core.checked_yaml import load_checked
from wm_core.images import ImageError
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.rotations import pose_of
from wm_perception.calibration.board import BOARD_FILE, Board
from wm_perception.calibration.hand_eye import View
from wm_perception.calibration.lens import camera_info, lens_in

CAMERA_FILE = "camera.yaml"
_JOINTS: dict[str, Any] = {
    "type": "object",
    "required": ["joints"],
    "properties": {"joints": {"type": "object", "additionalProperties": {"type": "number"}}},
}
_MATRIX = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": {"type": "number"}}},
}
_CAMERA: dict[str, Any] = {
    "type": "object",
    "required": ["image_width", "image_height", "camera_matrix"],
    "properties": {
        "image_width": {"type": "integer", "minimum": 8},
        "image_height": {"type": "integer", "minimum": 8},
        "camera_matrix": _MATRIX,
        "distortion_model": {"type": "string"},
        "distortion_coefficients": _MATRIX,
    },
}


class SamplesError(ValueError):
    """A folder of views that cannot be used: names the file and what is wrong."""


@dataclass(frozen=True)
class CameraViews:
    """What one camera saw of the board. `unseen`: images in which it was not found; `incomplete`: those without joints."""

    lens: Lens
    views: tuple[View, ...]
    unseen: tuple[str, ...]
    incomplete: tuple[str, ...] = ()


class Samples:
    """A folder of views."""

    def __init__(self, folder: Path, board: Board) -> None:
        self.folder, self.board = folder, board

    @staticmethod
    def begin(folder: Path, board: Board) -> "Samples":
        """A new folder, or one with views of this board, however it was mounted; raises SamplesError where they are of another."""
        folder.mkdir(parents=True, exist_ok=True)
        samples = Samples(folder, board)
        before = Board.load(samples.board_file) if samples.board_file.exists() else None
        if before and (unlike := before.unlike(board, ["mount"])):
            raise SamplesError(
                f"{samples.board_file}: expected the board of the views that are there, got {unlike}; of a board that was measured again"
                " write the true sizes into both files, of another board keep the views in a new folder"
            )
        if before != board:
            board.save(samples.board_file)
        return samples

    @staticmethod
    def open(folder: Path) -> "Samples":
        """One that is there; raises BoardError for a folder without a board."""
        return Samples(folder, Board.load(folder / BOARD_FILE))

    @property
    def board_file(self) -> Path:
        """The board's file, which `solve` reads: not the one that was given to `take`."""
        return self.folder / BOARD_FILE

    @property
    def cameras(self) -> list[str]:
        return sorted(file.parent.name for file in self.folder.glob(f"*/{CAMERA_FILE}"))

    def add_camera(self, name: str, lens: Lens) -> None:
        """Before its first view."""
        (self.folder / name).mkdir(exist_ok=True)
        replace_synced(self.folder / name / CAMERA_FILE, yaml.safe_dump(camera_info(lens, name), sort_keys=False))

    def add(self, camera: str, rgb: np.ndarray, joints: dict[str, float]) -> Path:
        """An image (H, W, 3) uint8 and the joints [rad] at which it was taken; the image's file, whose number follows the highest one.

        Complete once the joints are there. Raises SamplesError where the image cannot be written.
        """
        numbers = [int(file.stem) for file in (self.folder / camera).iterdir() if file.stem.isdecimal()]
        file = self.folder / camera / f"{max(numbers, default=-1) + 1:04}.png"
        if not cv2.imwrite(str(file), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)):
            raise SamplesError(f"{file}: expected to write an image, could not; is the disk full?")
        replace_synced(file.with_suffix(".yaml"), yaml.safe_dump({"joints": {k: float(v) for k, v in joints.items()}}))
        return file

    def places(self, camera: str, kinematics: Kinematics) -> list[np.ndarray]:
        """The arm's joints (n,) [rad] at which each view was taken; raises SamplesError naming the file that cannot be used."""
        return [self._joints(file.with_suffix(".yaml"), kinematics) for file in self._images(camera)[0]]

    def read(self, camera: str, kinematics: Kinematics) -> CameraViews:
        """All views of a camera; raises SamplesError naming the file that cannot be used."""
        lens, views, unseen = read_lens(self.folder / camera / CAMERA_FILE), [], []
        corners, (complete, incomplete) = self.board.corners, self._images(camera)
        for file in complete:
            image = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
            if image is None or image.shape[:2] != (lens.height, lens.width):
                got = "no image" if image is None else f"{image.shape[1]} x {image.shape[0]}"
                raise SamplesError(f"{file}: expected an image of {lens.width} x {lens.height} pixels, got {got}")
            found = self.board.find(image)
            if found is None:
                unseen.append(file.name)
                continue
            position, rotation = kinematics.fk(self._joints(file.with_suffix(".yaml"), kinematics))
            views.append(View(pose_of(rotation, position), corners[found[1]], found[0]))
        return CameraViews(lens, tuple(views), tuple(unseen), tuple(file.name for file in incomplete))

    def _images(self, camera: str) -> tuple[list[Path], list[Path]]:
        """Those with joints beside them, and those without."""
        images = sorted((self.folder / camera).glob("*.png"))
        complete = [file for file in images if file.with_suffix(".yaml").exists()]
        return complete, [file for file in images if file not in complete]

    def _joints(self, file: Path, kinematics: Kinematics) -> np.ndarray:
        try:
            joints = load_checked(file, _JOINTS, SamplesError)["joints"]
            return kinematics.arm_joints(list(joints), list(joints.values()))
        except OSError as error:
            raise SamplesError(f"{file}: expected the joints at which the image was taken: {error.strerror}") from error
        except KinematicsError as error:
            raise SamplesError(f"{file}: {error}; is it of robot '{kinematics.robot.name}'?") from error


def read_lens(file: Path) -> Lens:
    """Intrinsics as camera_info_manager has them; raises SamplesError."""
    try:
        data = load_checked(file, _CAMERA, SamplesError)
    except OSError as error:
        raise SamplesError(f"{file}: expected a camera's intrinsics: {error.strerror}") from error
    matrix = np.array(data["camera_matrix"]["data"], float)
    if matrix.size != 9 or matrix[0] <= 0 or matrix[4] <= 0:
        raise SamplesError(
            f"{file}: camera_matrix: expected 9 numbers with positive focal lengths, got {matrix.tolist()}"
        )
    try:
        return lens_in(data)
    except ImageError as error:
        raise SamplesError(f"{file}: {error}") from error
