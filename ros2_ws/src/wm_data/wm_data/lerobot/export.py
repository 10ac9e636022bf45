"""Bags -> a LeRobot dataset v3.0, one step in memory at a time."""

import json
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wm_bags.steps.check import BagCheck
from wm_bags.steps.episodes import Episode
from wm_bags.steps.frames import Frame, Step
from wm_bags.steps.step_spec import StepSpec
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.atomic import new_folder
from wm_core.kinematics import Kinematics
from wm_core.robot import RobotProfile, load_robot
from wm_data.dataset_build import Reading, bag_facts
from wm_data.lerobot import stats
from wm_data.lerobot.layout import (
    CHUNK_FILES,
    DATA,
    DATA_MB,
    EPISODES,
    INFO,
    OWN,
    OWN_SCHEMA,
    RIG,
    STATS,
    TASKS,
    VERSION,
    VIDEO,
    VIDEO_MB,
    WORDS,
    LeRobotError,
    Place,
    depth_key,
    fps_of,
    image_key,
)
from wm_data.lerobot.rows import RowWriter, depth_png, number_features, numbers_of
from wm_data.lerobot.video import VideoWriter

_RECORDED = Reading()  # by wm


def export(bags: list[Path], folder: Path, reading: Reading = _RECORDED, task: str = WORDS) -> dict[str, Any]:
    """Write the steps that a dataset of wm would be built from; `folder` appears when it is complete.

    `task`: the text of the task, in which {world} is replaced. Returns `meta/info.json`. Raises BagError and LeRobotError.
    """
    profile = reading.topics(bags[0])
    with new_folder(Path(folder)) as work:
        robot = load_robot(profile.robot)
        writer = _Writer(
            work, robot, list(profile.cameras), task, profile.source != "none", bool(profile.object), reading.steps
        )
        for bag in bags:
            steps = _steps(bag, robot, reading)
            for _, group in groupby(steps, key=lambda each: each[0].index):
                writer.episode(bag, group)
            print(f"lerobot: {bag.name}: {writer.frames} frames so far", flush=True)
        if not writer.frames:
            raise BagError(f"expected steps in {[str(bag) for bag in bags]}, got none; `wm bag check BAG` says why")
        shutil.copyfile(profile.rig, work / RIG)
        return writer.finish(profile.intrinsics)


def _steps(bag: Path, robot: RobotProfile, reading: Reading) -> Iterator[tuple[Episode, Step]]:
    check = BagCheck(bag, reading.topics(bag))
    with Bag(bag, reading.damaged) as opened:
        yield from check.steps_of(opened, Kinematics(robot), reading.steps.ns, reading.steps.reach)
    if check.cuts or not check.steps:
        print(f"lerobot: {bag.name}: {check.summary()}", flush=True)


class _Writer:
    """All files of a dataset."""

    def __init__(
        self,
        work: Path,
        robot: RobotProfile,
        cameras: list[str],
        task: str,
        commands: bool,
        labels: bool,
        steps: StepSpec,
    ) -> None:
        self._steps, self._fps = steps, fps_of(steps)
        self._work, self._task, self._commands, self._labels = work, task, commands, labels
        self._kinematics = Kinematics(robot)
        (work / "meta").mkdir()
        self._videos = {camera: VideoWriter(work, image_key(camera), self._fps) for camera in cameras}
        self._rows: RowWriter | None = None
        self._features: dict[str, dict[str, Any]] = {}
        self._episodes: list[dict[str, Any]] = []
        self._stats: list[dict[str, stats.Stats]] = []
        self._own: list[dict[str, Any]] = []
        self._tasks: dict[str, int] = {}
        self._used: list[Path] = []
        self._rounded = 0.0
        self.frames = 0

    def episode(self, bag: Path, steps: Iterator[tuple[Episode, Step]]) -> None:
        """Write one episode's steps."""
        columns: dict[str, list[Any]] = {}
        begun: Episode | None = None
        intrinsics: dict[str, list[float]] = {}
        pictures: dict[str, stats.ImageStats] = {}
        start = {camera: video.begin() for camera, video in self._videos.items()}
        for episode, step in steps:
            if self._rows is None:
                self._features = self._describe(step)
                self._rows = RowWriter(self._work, self._features)
            if begun is None:
                begun, intrinsics = episode, {name: frame.K.ravel().tolist() for name, frame in step.frames.items()}
            self._check(bag, step, intrinsics)
            row: dict[str, Any] = numbers_of(bag, step, self._kinematics, self._steps.action)
            for camera, frame in step.frames.items():
                row |= self._images(camera, frame, pictures)
            i = len(columns.get("index", ()))
            row |= {"timestamp": i / self._fps, "frame_index": i, "index": self.frames + i}
            row |= {"episode_index": len(self._episodes), "task_index": self._task_index(episode.world)}
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        assert begun is not None and self._rows is not None
        found = self._rows.write(columns) | {key: picture.result() for key, picture in pictures.items()}
        length = len(columns["index"])
        self._note(bag, begun, length, start, found, intrinsics)
        self.frames += length

    def finish(self, intrinsics: str) -> dict[str, Any]:
        """Close the files and write `meta`; returns `meta/info.json`."""
        assert self._rows is not None
        self._rows.close()
        for camera, video in self._videos.items():
            video.close()
            self._features[image_key(camera)]["info"] = video.info
        info = {
            "codebase_version": VERSION,
            "robot_type": self._kinematics.robot.name,
            "total_episodes": len(self._episodes),
            "total_frames": self.frames,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNK_FILES,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": DATA,
            "video_path": VIDEO,
            "features": self._features,
        }
        whole = {key: stats.together([each[key] for each in self._stats]) for key in self._stats[0]}
        own = {
            "schema": OWN_SCHEMA,
            "intrinsics": intrinsics,
            "action": self._steps.action.to_dict(),
            "depth_rounded_m": self._rounded,
            "bags": [bag_facts(bag) for bag in self._used],
            "episodes": self._own,
        }
        self._json(STATS, {key: {name: v.tolist() for name, v in each.items()} for key, each in whole.items()})
        self._json(OWN, own)
        self._write_tasks()
        file = self._work / Place().path(EPISODES)
        file.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), file, compression="snappy")
        self._json(INFO, info)
        return info

    # -- parts of an episode -----------------------------------------------------------------------------------------

    def _describe(self, step: Step) -> dict[str, dict[str, Any]]:
        features: dict[str, dict[str, Any]] = {}
        for camera, frame in step.frames.items():
            axes = {"names": ["height", "width", "channels"]}
            height, width = frame.depth.shape
            features[image_key(camera)] = {"dtype": "video", "shape": [height, width, 3], **axes}
            depth = {"is_depth_map": True, "depth_unit": "mm"}
            features[depth_key(camera)] = {"dtype": "image", "shape": [height, width, 1], **axes, "info": depth}
        return features | number_features(self._kinematics, self._steps.action, self._commands, self._labels)

    def _check(self, bag: Path, step: Step, intrinsics: dict[str, list[float]]) -> None:
        for camera, frame in step.frames.items():
            shape = self._features[image_key(camera)]["shape"]
            if list(frame.rgb.shape) != shape or frame.K.ravel().tolist() != intrinsics[camera]:
                raise LeRobotError(
                    f"{bag}: {camera} at {step.stamp_ns} ns: expected images of {shape} and one set of intrinsics in an episode,"
                    f" got {list(frame.rgb.shape)} and K {frame.K.ravel().tolist()}; export such bags separately"
                )

    def _images(self, camera: str, frame: Frame, pictures: dict[str, stats.ImageStats]) -> dict[str, Any]:
        """Add the colour image to the video; returns the depth for the row."""
        image, depth = image_key(camera), depth_key(camera)
        png, millimetres, changed = depth_png(frame.depth)
        self._rounded = max(self._rounded, changed)
        self._videos[camera].add(frame.rgb)
        pictures.setdefault(image, stats.ImageStats(3, 256, 255)).add(frame.rgb)
        pictures.setdefault(depth, stats.ImageStats(1, 65536, 1)).add(millimetres[..., None])
        return {depth: {"bytes": png, "path": None}}

    def _task_index(self, world: str) -> int:
        return self._tasks.setdefault(self._task.replace("{world}", world), len(self._tasks))

    def _note(
        self,
        bag: Path,
        episode: Episode,
        length: int,
        start: dict[str, float],
        found: dict[str, stats.Stats],
        intrinsics: dict[str, list[float]],
    ) -> None:
        assert self._rows is not None
        row: dict[str, Any] = {
            "episode_index": len(self._episodes),
            "tasks": [self._task.replace("{world}", episode.world)],
            "length": length,
            "data/chunk_index": self._rows.place.chunk,
            "data/file_index": self._rows.place.file,
            "dataset_from_index": self.frames,
            "dataset_to_index": self.frames + length,
        }
        for camera, video in self._videos.items():
            prefix = f"videos/{image_key(camera)}"
            row |= {f"{prefix}/chunk_index": video.place.chunk, f"{prefix}/file_index": video.place.file}
            row |= {f"{prefix}/from_timestamp": start[camera], f"{prefix}/to_timestamp": video.time}
        for key, each in found.items():
            row |= {f"stats/{key}/{name}": values.tolist() for name, values in each.items()}
        row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        if not self._used or self._used[-1] != bag:
            self._used.append(bag)
        self._own.append({"bag": len(self._used) - 1, "world": episode.world, "seed": episode.seed, "K": intrinsics})
        self._episodes.append(row)
        self._stats.append(found)

    # -- files of meta -----------------------------------------------------------------------------------------------

    def _json(self, name: str, content: Any) -> None:
        (self._work / name).write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n")

    def _write_tasks(self) -> None:
        """A table whose index is the task's text, as pandas writes it."""
        text = {
            "name": "task",
            "field_name": "task",
            "pandas_type": "unicode",
            "numpy_type": "object",
            "metadata": None,
        }
        index = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
        pandas = {
            "index_columns": ["task"],
            "column_indexes": [],
            "columns": [{**index, "metadata": None}, text],
            "pandas_version": "2.2.3",
        }
        table = pa.table({"task_index": list(self._tasks.values()), "task": list(self._tasks)})
        pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), self._work / TASKS)
