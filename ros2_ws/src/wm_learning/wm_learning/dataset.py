"""Bags -> arrays for training: one folder of memory-mapped arrays.

Arrays over all steps of all episodes, in order: `bev` (T, cameras, 5, rows, columns) uint8 (0..255 for 0..1),
`tool` (T, 2) measured and `target` (T, 2) commanded tool position, `action` (T, 2) executed after the step,
`object` (T, 3) x, y [m] and yaw [rad] (NaN without a label), `episode` (T,) int32, `world` (T,) int16.
"""

import hashlib
import json
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.bundle import BevSpec
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.paths import rigs_dir, urdf_path
from wm_core.rig import CameraRig
from wm_learning.episode_bag import BagError, Step, read_episodes
from wm_learning.settings import ACTION_SCALE
from wm_perception.bev import Projector
from wm_perception.robot_mask import RobotMask

FIELDS = ("bev", "tool", "target", "action", "object", "episode", "world")


@dataclass(frozen=True)
class Dataset:
    """Arrays described in the module's docstring, memory-mapped."""

    bev: np.ndarray
    tool: np.ndarray
    target: np.ndarray
    action: np.ndarray
    object: np.ndarray
    episode: np.ndarray
    world: np.ndarray
    worlds: list[str]
    seeds: list[int]

    @staticmethod
    def load(folder: Path) -> "Dataset":
        facts = json.loads((folder / "dataset.json").read_text())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r" if name == "bev" else None) for name in FIELDS}
        return Dataset(**arrays, worlds=facts["worlds"], seeds=facts["seeds"])

    def fingerprint(self) -> str:
        """Short hash of what was recorded: labels, actions and episodes tell datasets apart."""
        digest = hashlib.sha256()
        for values in (self.tool, self.action, self.object, self.episode):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:12]

    def subset(self, episodes: np.ndarray) -> "Dataset":
        """A copy with only some episodes, by number; their numbers and the list of seeds stay."""
        keep = np.flatnonzero(np.isin(self.episode, episodes))
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)[keep]) for name in FIELDS}
        return replace(self, **arrays)

    def windows(self, length: int, episodes: np.ndarray | None = None) -> np.ndarray:
        """First indices (n,) of all windows of `length` consecutive steps within one episode."""
        starts = np.arange(len(self.episode) - length + 1)
        keep = self.episode[starts] == self.episode[starts + length - 1]
        if episodes is not None:
            keep &= np.isin(self.episode[starts], episodes)
        return starts[keep]


def build_dataset(bags: list[Path], folder: Path, workers: int) -> Dataset:
    """Build the dataset of `bags` in `folder`, replacing an older one at the end."""
    work = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with ProcessPoolExecutor(workers) as pool:
        futures = {pool.submit(_convert, bag, work / f"{i:05d}.npz"): i for i, bag in enumerate(bags)}
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            print(f"dataset: {bags[futures[future]].name} ({done} of {len(bags)} bags)", flush=True)
    _merge(work, len(bags))
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
    return Dataset.load(folder)


def _convert(bag: Path, part: Path) -> None:
    """Arrays of one bag, in a file of their own."""
    spec = BevSpec()
    kinematics = Kinematics(urdf_path())
    mask = RobotMask(kinematics)
    rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
    projectors = {
        camera.name: Projector(camera.K, camera.T_base_optical, camera.height, camera.width, spec)
        for camera in rig.cameras
    }
    rows: dict[str, list[np.ndarray]] = {name: [] for name in FIELDS[:-2]}
    episodes, worlds, seeds = [], [], []
    for index, (facts, steps) in enumerate(read_episodes(bag)):
        for step in steps:
            q = _arm_joints(bag, step, kinematics)
            boxes = mask.boxes(q)
            maps = [
                projectors[camera.name].project(frame.rgb, frame.depth, boxes)
                for camera in rig.cameras
                if (frame := step.frames.get(camera.name)) is not None
            ]
            if len(maps) != len(rig.cameras):
                raise BagError(
                    f"{bag}: step at {step.stamp_ns} ns: expected cameras {[c.name for c in rig.cameras]}, got {sorted(step.frames)}"
                )
            rows["bev"].append(np.rint(np.stack(maps) * 255).astype(np.uint8))
            rows["tool"].append(kinematics.fk(q)[0][:2])
            rows["target"].append(step.ee_start)
            rows["action"].append((step.ee_end - step.ee_start) / ACTION_SCALE)
            rows["object"].append(
                np.full(3, np.nan) if step.truth is None else np.array([*step.truth[:2], yaw(step.truth[3:])])
            )
        episodes += [index] * len(steps)
        worlds += [facts["world"]] * len(steps)
        seeds.append(int(facts["seed"]))
    arrays: dict[str, Any] = {
        name: np.stack(values).astype(np.uint8 if name == "bev" else np.float32) for name, values in rows.items()
    }
    np.savez(part, episode=np.array(episodes, np.int32), world=np.array(worlds), seeds=np.array(seeds), **arrays)


def _merge(work: Path, count: int) -> None:
    parts = [np.load(work / f"{i:05d}.npz") for i in range(count)]
    total = sum(len(part["episode"]) for part in parts)
    names = sorted({name for part in parts for name in np.unique(part["world"]).tolist()})
    first_bev = parts[0]["bev"]
    bev = np.lib.format.open_memmap(work / "bev.npy", "w+", np.uint8, (total, *first_bev.shape[1:]))
    position, episode_offset, episode = 0, 0, []
    for part in parts:
        maps = part["bev"]
        bev[position : position + len(maps)] = maps
        position += len(maps)
        episode.append(part["episode"] + episode_offset)
        episode_offset += int(part["episode"].max()) + 1
    bev.flush()
    np.save(work / "episode.npy", np.concatenate(episode))
    np.save(
        work / "world.npy",
        np.concatenate([np.array([names.index(w) for w in part["world"]], np.int16) for part in parts]),
    )
    for name in ("tool", "target", "action", "object"):
        np.save(work / f"{name}.npy", np.concatenate([part[name] for part in parts]))
    seeds = [int(seed) for part in parts for seed in part["seeds"]]
    (work / "dataset.json").write_text(json.dumps({"worlds": names, "seeds": seeds, "steps": total}))
    for i in range(count):
        (work / f"{i:05d}.npz").unlink()


def _arm_joints(bag: Path, step: Step, kinematics: Kinematics) -> np.ndarray:
    try:
        return kinematics.arm_joints(step.joint_names, step.joints)
    except KinematicsError as error:
        raise BagError(f"{bag}: step at {step.stamp_ns} ns: /joint_states: {error}") from error


def yaw(quaternion: np.ndarray) -> float:
    """Rotation about z [rad] of a quaternion xyzw."""
    x, y, z, w = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
