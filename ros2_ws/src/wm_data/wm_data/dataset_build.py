"""Bags -> a dataset's folder. One worker reads one bag step by step; maps go to disk at once.

What cannot be used is cut out, and a report beside the arrays says what and why; with `strict` the first fault is an error.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.check import UNUSABLE, BagCheck
from wm_bags.steps.check_report import write_report
from wm_bags.steps.episodes import Episode
from wm_bags.steps.frames import Frame, Step, arm_joints, check_rig, refusal
from wm_bags.steps.profile import Profile
from wm_bags.steps.recorded_profile import profile_of
from wm_bags.steps.step_spec import DEFAULT_STEPS, StepSpec
from wm_bags.steps.strict import StrictCheck
from wm_bags.steps.sync import JITTER
from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_core.atomic import new_folder, worker_pool
from wm_core.kinematics import Kinematics
from wm_core.rig import Camera, CameraRig
from wm_core.robot import load_robot
from wm_core.specs import BevSpec
from wm_data.dataset import SMALL, Dataset
from wm_data.dataset_files import KINDS, LABEL, seal
from wm_data.episode_bag import COLOUR, DEPTH, EXECUTED, INFO, JOINTS
from wm_perception.bev import Projector
from wm_perception.pipeline import CameraFrame, shrink
from wm_perception.robot_mask import RobotMask

TOO_FAR = 1.01 * (1 + JITTER)  # length of an action beyond which the commands are not of this action scale


@dataclass(frozen=True)
class Reading:
    """How bags are read. `strict`: they must be as wm collects them, and the first fault is an error."""

    profile: Path | None = None  # file; without, wm's own topics
    video: bool = False  # commands and labels are ignored
    strict: bool = False
    damaged: str = "refuse"  # or skip: read what is around damage
    steps: StepSpec = DEFAULT_STEPS

    def __post_init__(self) -> None:
        if self.strict and (self.profile or self.damaged == "skip"):
            raise BagError(
                "expected --strict alone: it is for wm's own, undamaged bags; leave out --profile and --damaged skip, or --strict"
            )

    def topics(self, bag: Path) -> Profile:
        """The profile of a bag; raises BagError."""
        profile = Profile.load(self.profile) if self.profile else profile_of(bag, self.damaged)
        return profile.as_video() if self.video else profile


def build_dataset(bags: list[Path], folder: Path, workers: int, reading: Reading = Reading()) -> Dataset:
    """Build the dataset of `bags` in `folder`, replacing an older one in one rename; raises BagError when nothing can be used.

    The folder also gets report.html and report.json. Memory: a window of images and a few maps per worker, and the small arrays.
    """
    folder = Path(folder)
    with new_folder(folder) as work:
        checks: dict[int, BagCheck] = {}
        with worker_pool(workers) as pool:
            futures = {pool.submit(_convert, bag, work / f"{i:05d}", reading): i for i, bag in enumerate(bags)}
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    check = checks[futures[future]] = future.result()
                    lost = f": {check.summary()}" if check.refused or check.cuts else ""
                    print(f"dataset: {check.bag.name} ({done} of {len(bags)} bags){lost}", flush=True)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        found = [check for _, check in sorted(checks.items())]
        used = [i for i, check in enumerate(found) if check.steps]
        if not used:
            raise BagError("\n".join(check.why_nothing() for check in found[:10]))
        merge_parts(work, used, [bag_facts(bag) for bag in bags], reading.steps)
        write_report(found, work)
    return Dataset.load(folder)


def bag_facts(bag: Path) -> dict[str, Any]:
    """What tells a bag from another of its name: size and time of the last change of its files."""
    files = [file.stat() for file in (sorted(bag.iterdir()) if bag.is_dir() else [bag])]
    return {
        "name": bag.name,
        "bytes": sum(file.st_size for file in files),
        "changed_ns": max(file.st_mtime_ns for file in files),
    }


class Converter:
    """One bag's steps -> rows of the arrays."""

    def __init__(self, bag: Path, profile: Profile, steps: StepSpec) -> None:
        self._bag, self._profile, self._action = bag, profile, steps.action
        robot = load_robot(profile.robot)
        self.kinematics = Kinematics(robot)
        self._mask = RobotMask(self.kinematics)
        rig = CameraRig.load(profile.rig).in_table_frame(robot)
        self.cameras = [camera for camera in rig.cameras if camera.name in profile.cameras]
        self._projectors: dict[tuple, Projector] = {}

    def maps(self, step: Step) -> np.ndarray:
        """Maps (cameras, 5, rows, columns) uint8 of one step."""
        boxes = self._mask.boxes(self._joints(step))
        maps = []
        for camera in self.cameras:
            frame = step.frames.get(camera.name)
            if frame is None:
                raise refusal(
                    self._bag,
                    camera.name + COLOUR,
                    step.stamp_ns,
                    f"expected the rig's cameras {[c.name for c in self.cameras]}, got {sorted(step.frames)}",
                )
            if self._profile.intrinsics == "rig":
                check_rig(self._bag, camera.name + INFO, step.stamp_ns, frame, camera)
            maps.append(self._project(camera, frame, boxes))
        return np.rint(np.stack(maps) * 255).astype(np.uint8)

    def _project(self, camera: Camera, frame: Frame, boxes: list) -> np.ndarray:
        small = shrink(CameraFrame(frame.rgb, frame.depth, frame.K))
        height, width = small.depth.shape
        key = (camera.name, height, width, *small.K.ravel())
        if key not in self._projectors:
            if len(self._projectors) > 4 * len(self.cameras):  # intrinsics that never settle must not fill the memory
                self._projectors.clear()
            self._projectors[key] = Projector(small.K, camera.T_table_optical, height, width, BevSpec())
        return self._projectors[key].project(small.rgb, small.depth, boxes)

    def motion(self, step: Step) -> dict[str, np.ndarray]:
        """Measured and commanded tool position, action and label of one step."""
        action = self._action.unscaled(step.ee_end - step.ee_start)
        if np.abs(action).max() > TOO_FAR or any(
            np.linalg.norm(action[[self._action.index(axis) for axis in group]]) > TOO_FAR
            for group in self._action.groups
        ):
            raise refusal(
                self._bag,
                EXECUTED,
                step.stamp_ns,
                f"expected a motion of at most {dict(self._action.scale)} in a step, got {step.ee_start} to {step.ee_end}",
            )
        label = np.full(len(LABEL), np.nan) if step.truth is None else np.array([*step.truth[:3], yaw(step.truth[3:])])
        tool = self.kinematics.tool(self._joints(step)).values
        target = self._action.tool_state(step.ee_start)
        target[:] = target if np.isfinite(step.ee_start).all() else np.nan  # of video nobody knows it
        return {"tool": tool, "target": target, "action": action, "objects": label[None]}

    def _joints(self, step: Step) -> np.ndarray:
        return arm_joints(self._bag, JOINTS, step, self.kinematics)


def _convert(bag: Path, part: Path, reading: Reading) -> BagCheck:
    """Arrays of one bag: maps as raw bytes in `part`.bev, the rest in `part`.npz. Returns what was found."""
    steps = reading.steps
    try:
        profile = reading.topics(bag)
        converter = Converter(bag, profile, steps)
    except UNUSABLE as error:
        if reading.strict or reading.profile:
            raise
        return BagCheck.without_profile(bag, str(error))
    check = StrictCheck(bag, profile) if reading.strict else BagCheck(bag, profile)
    try:
        with Bag(bag, reading.damaged) as opened:
            write_part(bag, part, converter, check.steps_of(opened, converter.kinematics, steps.ns, steps.reach))
    except UNUSABLE as error:
        if reading.strict:
            raise
        check.refuse(str(error))
    return check


def write_part(bag: Path, part: Path, converter: Converter, steps: Iterator[tuple[Episode, Step]]) -> None:
    """Steps of one bag as the files `part`.bev and `part`.npz; none without steps. Raises BagError."""
    rows: dict[str, list[Any]] = {name: [] for name in SMALL}
    seeds: dict[int, int] = {}
    observed: Any = False
    with open(part.with_suffix(".bev"), "wb") as file:
        for episode, step in steps:
            seeds[episode.index] = episode.seed
            maps = converter.maps(step)
            observed |= maps[:, 4].any((1, 2))
            file.write(maps.tobytes())
            for name, value in converter.motion(step).items():
                rows[name].append(value)
            rows["episode"].append(episode.index)
            rows["world"].append(episode.world)
    if not seeds:
        return
    for camera, saw in zip(converter.cameras, observed, strict=True):
        if not saw:
            raise refusal(
                bag, camera.name + DEPTH, 0, "expected a view of the table, got no point in it; check the rig's pose"
            )
    arrays: dict[str, Any] = {
        name: np.array(values, KINDS[name][0] if name != "world" else str) for name, values in rows.items()
    }
    np.savez(part.with_suffix(".npz"), seeds=list(seeds.values()), shape=maps.shape, **arrays)


def merge_parts(work: Path, used: list[int], facts: list[dict[str, Any]], steps: StepSpec) -> None:
    """One set of arrays of the parts `work`/00000, ... that could be used, with `facts` about the bags; maps are copied from
    file to file, a part at a time."""
    parts = [dict(np.load(work / f"{i:05d}.npz")) for i in used]
    if len({tuple(part["shape"]) for part in parts}) > 1:
        raise BagError(f"expected the same cameras in all bags, got maps of {[tuple(part['shape']) for part in parts]}")
    names = sorted({str(name) for part in parts for name in np.unique(part["world"])})
    offsets = np.cumsum([0] + [len(part["seeds"]) for part in parts])
    for part, offset in zip(parts, offsets, strict=False):
        part["episode"] = (part["episode"] + offset).astype(np.int32)
        part["world"] = np.searchsorted(names, part["world"]).astype(np.int16)
    for name in SMALL:
        np.save(work / f"{name}.npy", np.concatenate([part[name] for part in parts]))
    total = sum(len(part["episode"]) for part in parts)
    header = {"descr": "|u1", "fortran_order": False, "shape": (total, *map(int, parts[0]["shape"]))}
    with open(work / "bev.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for i in used:
            with open(work / f"{i:05d}.bev", "rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
    for left in (*work.glob("[0-9]*.bev"), *work.glob("[0-9]*.npz")):
        left.unlink()
    seeds = [int(seed) for part in parts for seed in part["seeds"]]
    seal(work, names, seeds, BevSpec(), steps, facts)


def yaw(quaternion: np.ndarray) -> float:
    """Rotation about z [rad] of a quaternion xyzw."""
    x, y, z, w = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
