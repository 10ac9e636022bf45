"""A LeRobot dataset v3.0 -> steps, if it holds what a dataset of wm needs: depth, this arm's joints, calibrated cameras.

What `wm lerobot export` wrote comes back in full. Of others colour, depth and joints can be used, as video, with a rig file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from wm_bags.steps.episodes import Episode
from wm_bags.steps.frames import Frame, Step
from wm_bags.steps.profile import Profile
from wm_bags.steps.step_spec import DEFAULT_STEPS, StepSpec
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.specs import ActionSpec
from wm_data.lerobot.layout import (
    ACTION,
    COMMAND,
    INFO,
    JOINTS,
    OWN,
    POSE,
    RIG,
    STAMP,
    STATE,
    LeRobotError,
    depth_key,
    fps_of,
    image_key,
    read_episodes,
    read_info,
    read_own,
    read_table,
)
from wm_data.lerobot.places import Places
from wm_data.lerobot.video import VideoReader

_AGREE = 1e-4  # between what LeRobot learns from (float32) and the full precision beside it


@dataclass(frozen=True)
class Source:
    """A dataset that can be used; `bags`, one for each bag it was made from: facts and numbers of its episodes."""

    folder: Path
    info: dict[str, Any]
    rows: list[dict[str, Any]]
    profile: Profile
    own: dict[str, Any] | None  # as `wm lerobot export` writes it
    joint_names: tuple[str, ...]
    places: Places
    steps_of: StepSpec

    @staticmethod
    def open(
        folder: Path, kinematics: Kinematics, rig: Path | None = None, steps: StepSpec = DEFAULT_STEPS
    ) -> "Source":
        """`rig`: file with the cameras' calibration, where the dataset has none; `steps`: that it must have. Raises LeRobotError."""
        folder = Path(folder)
        info = read_info(folder)
        own = read_own(folder) if (folder / OWN).exists() else None
        names = _joint_names(info["features"][JOINTS if own else STATE]) if STATE in info["features"] else ()
        lacking = _lacking(info, kinematics, names, fps_of(steps))
        if own is None and rig is None:
            lacking.append(f"calibrated cameras: {OWN}, or --rig RIG with the cameras' poses and intrinsics")
        if lacking:
            raise LeRobotError(f"{folder}: a dataset of wm needs what this one lacks: {'; '.join(lacking)}")
        rows = read_episodes(folder, info)
        if own and len(own["episodes"]) != len(rows):
            raise LeRobotError(
                f"{folder / OWN}: expected {len(rows)} episodes, got {len(own['episodes'])}; the dataset was edited, export it again"
            )
        if own and (differs := steps.action.mismatch(ActionSpec.from_dict(own["action"]))):
            raise LeRobotError(
                f"{folder / OWN}: expected actions of the task that --steps-of names: {differs}; export its bags again,"
                " or import it with the task that they are of"
            )
        profile = replace(Profile.default(rig or folder / RIG), robot=str(kinematics.robot.file))
        with_depth = {name: topics for name, topics in profile.cameras.items() if depth_key(name) in info["features"]}
        if not with_depth or any(image_key(name) not in info["features"] for name in with_depth):
            raise LeRobotError(
                f"{folder / INFO}: expected {[image_key(name) for name in profile.cameras]} with depth, as the rig has it, got"
                f" {_images(info)}; name the rig's cameras like the features"
            )
        profile = replace(profile, cameras=with_depth, intrinsics=own["intrinsics"] if own else "rig")
        profile = profile if own and COMMAND in info["features"] else profile.as_video()
        return Source(folder, info, rows, profile, own, names, Places(folder, info, rows), steps)

    @property
    def bags(self) -> list[tuple[dict[str, Any], list[int]]]:
        """Facts of each bag and the numbers of its episodes."""
        if self.own is None:
            return [({"name": self.folder.name}, list(range(len(self.rows))))]
        of = [episode["bag"] for episode in self.own["episodes"]]
        return [
            (facts, [i for i, bag in enumerate(of) if bag == number]) for number, facts in enumerate(self.own["bags"])
        ]

    def steps(self, episodes: list[int]) -> Iterator[tuple[Episode, Step]]:
        """Steps of some episodes in order; raises LeRobotError."""
        videos: dict[str, tuple[Path, VideoReader]] = {}
        try:
            for index, number in enumerate(episodes):
                yield from self._episode(index, number, videos)
        finally:
            for _, video in videos.values():
                video.close()

    def _episode(
        self, index: int, number: int, videos: dict[str, tuple[Path, VideoReader]]
    ) -> Iterator[tuple[Episode, Step]]:
        row, cameras = self.rows[number], list(self.profile.cameras)
        own = self.own["episodes"][number] if self.own else None
        episode = Episode(index, own["world"], own["seed"]) if own else Episode(index)
        K = {name: np.reshape(own["K"][name], (3, 3)) for name in cameras} if own else self._rig_intrinsics()
        table = self._table(row)
        numbers = self._numbers(table, row)
        frames = {name: self._video(row, name, videos) for name in cameras}
        for i in range(row["length"]):
            step_frames = {
                name: Frame(next(frames[name]), self._depth(table, name, row, i), K[name]) for name in cameras
            }
            pose = numbers[POSE][i] if POSE in numbers else np.full(7, np.nan)
            command = numbers[COMMAND][i] if COMMAND in numbers else np.full(2 * self.steps_of.action.size, np.nan)
            begin, end = np.split(command, 2)
            stamp_ns = int(numbers[STAMP][i]) if STAMP in numbers else i * self.steps_of.ns
            truth = pose if np.isfinite(pose).all() else None
            joints = numbers[JOINTS if self.own else STATE][i]
            step = Step(stamp_ns, step_frames, self.joint_names, joints, begin, end, truth)
            yield episode, step

    # -- columns ---------------------------------------------------------------------------------------------------

    def _table(self, row: dict[str, Any]) -> pa.Table:
        features, commands = self.info["features"], self.profile.source != "none"
        names = [STATE, *(depth_key(name) for name in self.profile.cameras), "episode_index", "frame_index"]
        names += [JOINTS, STAMP] if self.own else []
        names += [ACTION, COMMAND] if commands else []
        names += [POSE] if self.own and POSE in features else []
        file = self.places.rows_of(row["episode_index"])
        table = read_table(file, names, row["episode_index"])
        frames = table["frame_index"].to_pylist()
        if frames != list(range(row["length"])):
            whole = frames == list(range(len(frames))) and frames
            remedy = (
                f"the column length of meta/episodes is stale: write {len(frames)}"
                if whole
                else "copy the dataset again"
            )
            raise LeRobotError(
                f"{file}: episode {row['episode_index']}: expected the frames 0..{row['length'] - 1} in order, got"
                f" {table.num_rows} rows; {remedy}"
            )
        return table

    def _numbers(self, table: pa.Table, row: dict[str, Any]) -> dict[str, np.ndarray]:
        """Arrays of the columns that are numbers, finite but for labels."""
        values = {
            name: np.array(table[name].to_pylist())
            for name in (STATE, JOINTS, ACTION, COMMAND, POSE, STAMP)
            if name in table.column_names
        }
        where = f"{self.folder}: episode {row['episode_index']}"
        for name, array in values.items():
            bad = ~np.isfinite(array.astype(float).reshape(len(array), -1)).all(1)
            if bad.any() and name != POSE:
                frame = int(np.argmax(bad))
                raise LeRobotError(
                    f"{where}, frame {frame}: {name}: expected finite numbers, got {array[frame].tolist()}"
                )
        if ACTION in values:
            begin, end = np.split(values[COMMAND], 2, axis=1)
            self._agree(where, ACTION, values[ACTION], COMMAND, self.steps_of.action.unscaled(end - begin))
        if JOINTS in values:
            self._agree(where, STATE, values[STATE][:, : values[JOINTS].shape[1]], JOINTS, values[JOINTS])
        return values

    @staticmethod
    def _agree(where: str, name: str, values: np.ndarray, other: str, exact: np.ndarray) -> None:
        if values.shape != exact.shape or np.abs(values - exact).max() > _AGREE:
            raise LeRobotError(
                f"{where}: expected {name} to agree with {other}, it does not; it was edited, export it again"
            )

    # -- images ----------------------------------------------------------------------------------------------------

    def _video(
        self, row: dict[str, Any], camera: str, videos: dict[str, tuple[Path, VideoReader]]
    ) -> Iterator[np.ndarray]:
        key = image_key(camera)
        file, from_s = self.places.video_of(row["episode_index"], key)
        if camera not in videos or videos[camera][0] != file:
            if camera in videos:
                videos[camera][1].close()
            videos[camera] = file, VideoReader(file, self.info["fps"])
        return videos[camera][1].episode(from_s, row["length"])

    def _depth(self, table: pa.Table, camera: str, row: dict[str, Any], i: int) -> np.ndarray:
        """Depth (H, W) float32 [m]."""
        key = depth_key(camera)
        feature = self.info["features"][key]
        data = (table[key][i].as_py() or {}).get("bytes")
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        if (
            pixels is None
            or list(pixels.shape[:2]) != feature["shape"][:2]
            or pixels.dtype not in (np.uint16, np.float32)
        ):
            raise LeRobotError(
                f"{self.folder}: episode {row['episode_index']}, frame {i}: {key}: expected a depth image of"
                f" {feature['shape'][:2]} pixels in uint16 or float32, got"
                f" {'none' if pixels is None else f'{pixels.dtype} {pixels.shape}'}"
            )
        scale = np.float32(1000 if feature["info"].get("depth_unit", "mm") == "mm" else 1)
        return pixels.astype(np.float32) / scale

    def _rig_intrinsics(self) -> dict[str, np.ndarray]:
        return {camera.name: camera.K for camera in CameraRig.load(self.profile.rig).cameras}


def _joint_names(feature: dict[str, Any]) -> tuple[str, ...]:
    names = feature.get("names") or ()
    if isinstance(names, dict):  # some datasets group them, as in {"motors": [...]}
        names = [name for group in names.values() for name in group]
    return tuple(map(str, names))


def _images(info: dict[str, Any]) -> list[str]:
    return [key for key, feature in info["features"].items() if feature["dtype"] in ("image", "video")]


def _lacking(info: dict[str, Any], kinematics: Kinematics, names: tuple[str, ...], fps: int) -> list[str]:
    """What a dataset of wm needs and these features do not offer."""
    lacking = []
    features = info["features"]
    depth = [
        key
        for key, feature in features.items()
        if feature["dtype"] == "image" and (feature.get("info") or {}).get("is_depth_map")
    ]
    if not depth:
        lacking.append(
            f"depth: an image feature observation.images.CAMERA_depth with is_depth_map beside each colour video; it has {_images(info)}"
        )
    if absent := [name for name in kinematics.joint_names if name not in names]:
        lacking.append(f"this arm's joints in {STATE}: {absent} are not among {list(names)}")
    if info["fps"] != fps:
        lacking.append(f"{fps} frames a second: it has {info['fps']}")
    return lacking
