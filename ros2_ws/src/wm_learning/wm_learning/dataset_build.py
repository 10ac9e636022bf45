"""Bags -> a dataset's folder. One worker reads one bag step by step; maps go to disk at once."""

import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.bundle import BevSpec
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.paths import rigs_dir, urdf_path
from wm_core.rig import CameraRig
from wm_learning.atomic import die_with_parent, new_folder
from wm_learning.bag_reader import read_steps
from wm_learning.dataset import SMALL, Dataset
from wm_learning.dataset_files import KINDS, seal
from wm_learning.episode_bag import COLOUR, DEPTH, EXECUTED, INFO, JOINTS, BagError, Step, refusal
from wm_learning.settings import ACTION_SCALE
from wm_perception.bev import Projector
from wm_perception.robot_mask import RobotMask

TOO_FAR = 1.01  # length of an action beyond which the commands are not of this action scale
BEYOND = 0.05  # [rad] that a measured joint may be outside its limits


def build_dataset(bags: list[Path], folder: Path, workers: int, video: bool = False) -> Dataset:
    """Build the dataset of `bags` in `folder`, replacing an older one in one rename; raises BagError.

    `video`: commands and labels are ignored. Memory: a few maps per worker and the small arrays.
    """
    folder = Path(folder)
    with new_folder(folder) as work:
        with ProcessPoolExecutor(workers, initializer=die_with_parent) as pool:
            futures = {pool.submit(_convert, bag, work / f"{i:05d}", video): i for i, bag in enumerate(bags)}
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    future.result()
                    print(f"dataset: {bags[futures[future]].name} ({done} of {len(bags)} bags)", flush=True)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        _merge(work, bags)
    return Dataset.load(folder)


def bag_facts(bag: Path) -> dict[str, Any]:
    """What tells a bag from another of its name: size and time of the last change of its files."""
    files = [file.stat() for file in sorted(bag.iterdir())]
    return {
        "name": bag.name,
        "bytes": sum(file.st_size for file in files),
        "changed_ns": max(file.st_mtime_ns for file in files),
    }


class _Converter:
    """One bag's steps -> rows of the arrays."""

    def __init__(self, bag: Path) -> None:
        self._bag = bag
        self._kinematics = Kinematics(urdf_path())
        self._mask = RobotMask(self._kinematics)
        self.rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
        self._projectors = {
            camera.name: Projector(camera.K, camera.T_base_optical, camera.height, camera.width, BevSpec())
            for camera in self.rig.cameras
        }

    def maps(self, step: Step) -> np.ndarray:
        """Maps (cameras, 5, rows, columns) uint8 of one step."""
        boxes = self._mask.boxes(self._joints(step))
        maps = []
        for camera in self.rig.cameras:
            frame = step.frames.get(camera.name)
            if frame is None:
                raise refusal(
                    self._bag,
                    camera.name + COLOUR,
                    step.stamp_ns,
                    f"expected the rig's cameras {[c.name for c in self.rig.cameras]}, got {sorted(step.frames)}",
                )
            size, wanted = frame.depth.shape, (camera.height, camera.width)
            if size != wanted or np.abs(frame.K - camera.K).max() > 0.01 * camera.K[0, 0]:
                raise refusal(
                    self._bag,
                    camera.name + INFO,
                    step.stamp_ns,
                    f"expected the rig's {wanted[1]} x {wanted[0]} pixels and K {camera.K.round(2).tolist()}, got"
                    f" {size[1]} x {size[0]} and {frame.K.round(2).tolist()}; use the rig it was recorded with",
                )
            maps.append(self._projectors[camera.name].project(frame.rgb, frame.depth, boxes))
        return np.rint(np.stack(maps) * 255).astype(np.uint8)

    def motion(self, step: Step) -> dict[str, np.ndarray]:
        """Measured and commanded tool position, action and label of one step."""
        action = (step.ee_end - step.ee_start) / ACTION_SCALE
        if np.linalg.norm(action) > TOO_FAR:
            raise refusal(
                self._bag,
                EXECUTED,
                step.stamp_ns,
                f"expected a motion of at most {ACTION_SCALE} m in a step, got {step.ee_start} to {step.ee_end}",
            )
        label = np.full(3, np.nan) if step.truth is None else np.array([*step.truth[:2], yaw(step.truth[3:])])
        tool = self._kinematics.fk(self._joints(step))[0][:2]
        return {"tool": tool, "target": step.ee_start, "action": action, "object": label}

    def _joints(self, step: Step) -> np.ndarray:
        try:
            q = self._kinematics.arm_joints(step.joint_names, step.joints)
        except KinematicsError as error:
            raise refusal(self._bag, JOINTS, step.stamp_ns, f"{error}; is it another robot's?") from error
        outside = (q < self._kinematics.lower - BEYOND) | (q > self._kinematics.upper + BEYOND)
        if outside.any():
            names = [name for name, bad in zip(self._kinematics.joint_names, outside, strict=True) if bad]
            raise refusal(
                self._bag, JOINTS, step.stamp_ns, f"expected radians within the limits, got {q[outside]} of {names}"
            )
        return q


def _convert(bag: Path, part: Path, video: bool) -> None:
    """Arrays of one bag: maps as raw bytes in `part`.bev, the rest in `part`.npz."""
    converter = _Converter(bag)
    rows: dict[str, list[Any]] = {name: [] for name in SMALL}
    seeds: dict[int, int] = {}
    observed: Any = False
    with open(part.with_suffix(".bev"), "wb") as file:
        for episode, step in read_steps(bag, video):
            seeds[episode.index] = episode.seed
            maps = converter.maps(step)
            observed |= maps[:, 4].any((1, 2))
            file.write(maps.tobytes())
            for name, value in converter.motion(step).items():
                rows[name].append(value)
            rows["episode"].append(episode.index)
            rows["world"].append(episode.world)
    for camera, saw in zip(converter.rig.cameras, observed, strict=True):
        if not saw:
            raise refusal(
                bag, camera.name + DEPTH, 0, "expected a view of the table, got no point in it; check the rig's pose"
            )
    arrays: dict[str, Any] = {
        name: np.array(values, KINDS[name][0] if name != "world" else str) for name, values in rows.items()
    }
    np.savez(part.with_suffix(".npz"), seeds=list(seeds.values()), shape=maps.shape, **arrays)


def _merge(work: Path, bags: list[Path]) -> None:
    """One set of arrays of all parts; maps are copied from file to file, a part at a time."""
    parts = [dict(np.load(work / f"{i:05d}.npz")) for i in range(len(bags))]
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
        for i in range(len(bags)):
            with open(work / f"{i:05d}.bev", "rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
            for ending in ("bev", "npz"):
                (work / f"{i:05d}.{ending}").unlink()
    seeds = [int(seed) for part in parts for seed in part["seeds"]]
    seal(work, names, seeds, BevSpec(), [bag_facts(bag) for bag in bags])


def yaw(quaternion: np.ndarray) -> float:
    """Rotation about z [rad] of a quaternion xyzw."""
    x, y, z, w = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
