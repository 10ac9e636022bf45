"""Collects exploration episodes in the simulated worlds into bags."""

import os
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wm_bags.steps.frames import Frame, Step
from wm_core.atomic import worker_pool
from wm_core.paths import rigs_dir
from wm_core.rig import CameraRig
from wm_data.episode_bag import EpisodeWriter
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world
from wm_tasks.explorers import make_explorer
from wm_tasks.settings import ACTION_SCALE, REACH, ROBOT, TASK

EPISODES_PER_BAG = 20
PAUSE_NS = 10**9  # between two episodes of a bag


@dataclass(frozen=True)
class Batch:
    """The episodes of one bag."""

    world: str  # name, or the path of a world file
    first_seed: int
    episodes: int
    steps: int
    bag: Path
    video: bool = False  # cameras and joints only


def collect(
    worlds: list[str], episodes: int, steps: int, folder: Path, first_seed: int, workers: int, video: bool = False
) -> list[Path]:
    """Collect `episodes` per world (name or file) of `steps` control periods each into bags under `folder`; returns the bags.

    Bags that exist already are kept, so an interrupted collection continues.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batches = []
    for index, world in enumerate(worlds):
        for start in range(0, episodes, EPISODES_PER_BAG):
            seed = first_seed + index * episodes + start
            count = min(EPISODES_PER_BAG, episodes - start)
            bag = folder / f"{load_world(world).name}_{seed:06d}"
            batches.append(Batch(world, seed, count, steps, bag, video))
    missing = [batch for batch in batches if not batch.bag.exists()]
    with worker_pool(workers) as pool:
        futures = [pool.submit(collect_bag, batch) for batch in missing]
        for done, future in enumerate(as_completed(futures), 1):
            print(f"collect: {future.result().name} ({done} of {len(missing)} bags)", flush=True)
    return [batch.bag for batch in batches]


def collect_bag(batch: Batch) -> Path:
    """Collect one bag."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    world = load_world(batch.world)
    rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
    sim = ArmSim(world, rig, randomise=True)
    writer = EpisodeWriter(batch.bag, tuple(camera.name for camera in rig.cameras), batch.video, ROBOT.table_frame)
    clock_ns = 0
    for seed in range(batch.first_seed, batch.first_seed + batch.episodes):
        sim.reset(seed)
        writer.begin(clock_ns, world.name, seed)
        end_ns = _episode(sim, rig, writer, np.random.default_rng(seed), batch.steps, clock_ns)
        writer.end(end_ns, world.name, seed)
        clock_ns = end_ns + PAUSE_NS
    return writer.close()


def _episode(
    sim: ArmSim,
    rig: CameraRig,
    writer: EpisodeWriter,
    rng: np.random.Generator,
    steps: int,
    clock_ns: int,
) -> int:
    explore, drive = make_explorer(TASK, REACH, rng), ActionDriver(sim, ACTION_SCALE, TASK.step_duration)
    offset_ns = clock_ns - sim.time_ns
    for _ in range(steps):
        position, quaternion = sim.object_pose()
        if not REACH.contains(position[:2]):
            break  # out of reach: nothing more to learn in this episode
        stamp_ns = sim.time_ns + offset_ns
        names, joints, _ = sim.joint_state()
        frames = {camera.name: Frame(*sim.rectified(camera.name), camera.K) for camera in rig.cameras}
        commanded = drive.commanded
        drive.act(explore.action(commanded, position[:2]))
        truth = np.concatenate([position, quaternion])
        writer.step(Step(stamp_ns, frames, names, joints, commanded, drive.commanded, truth))
    return sim.time_ns + offset_ns
