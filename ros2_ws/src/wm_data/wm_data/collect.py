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
from wm_core.task import DEFAULT_TASK, Task, load_task
from wm_data.episode_bag import EpisodeWriter
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world
from wm_tasks.explorers import make_explorer
from wm_tasks.plane import plane_scale
from wm_tasks.settings import REACH, ROBOT

EPISODES_PER_BAG = 20
PAUSE_NS = 10**9  # between two episodes of a bag
EPISODE_S = 5.0  # [s] of an episode of which no length is given


@dataclass(frozen=True)
class Batch:
    """The episodes of one bag."""

    world: str  # name, or the path of a world file
    first_seed: int
    episodes: int
    steps: int
    bag: Path
    video: bool = False  # cameras and joints only
    task: str = DEFAULT_TASK  # name, or the path of a task file: its explorer, actions and rate


def collect(
    worlds: list[str],
    episodes: int,
    steps: int | None,
    folder: Path,
    first_seed: int,
    workers: int,
    video: bool = False,
    task: str = DEFAULT_TASK,
) -> list[Path]:
    """Collect `episodes` per world (name or file) of `steps` control periods each (None: EPISODE_S) into bags under `folder`.

    `task` (name or file): its explorer acts, at its rate. Returns the bags. Raises TaskError.

    Bags that exist already are kept, so an interrupted collection continues.
    """
    chosen = load_task(task)
    steps = steps or round(EPISODE_S * chosen.rate)
    named = "" if task == DEFAULT_TASK else f"_{chosen.name}"
    folder.mkdir(parents=True, exist_ok=True)
    batches = []
    for index, world in enumerate(worlds):
        for start in range(0, episodes, EPISODES_PER_BAG):
            seed = first_seed + index * episodes + start
            count = min(EPISODES_PER_BAG, episodes - start)
            bag = folder / f"{load_world(world).name}{named}_{seed:06d}"
            batches.append(Batch(world, seed, count, steps, bag, video, task))
    missing = [batch for batch in batches if not batch.bag.exists()]
    with worker_pool(workers) as pool:
        futures = [pool.submit(collect_bag, batch) for batch in missing]
        for done, future in enumerate(as_completed(futures), 1):
            print(f"collect: {future.result().name} ({done} of {len(missing)} bags)", flush=True)
    return [batch.bag for batch in batches]


def collect_bag(batch: Batch) -> Path:
    """Collect one bag."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    task = load_task(batch.task)
    world = load_world(batch.world)
    rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
    sim = ArmSim(world, rig, randomise=True)
    writer = EpisodeWriter(batch.bag, tuple(camera.name for camera in rig.cameras), batch.video, ROBOT.table_frame)
    clock_ns = 0
    for seed in range(batch.first_seed, batch.first_seed + batch.episodes):
        sim.reset(seed)
        writer.begin(clock_ns, world.name, seed)
        end_ns = _episode(sim, rig, writer, task, np.random.default_rng(seed), batch.steps, clock_ns)
        writer.end(end_ns, world.name, seed)
        clock_ns = end_ns + PAUSE_NS
    return writer.close()


def _episode(
    sim: ArmSim,
    rig: CameraRig,
    writer: EpisodeWriter,
    task: Task,
    rng: np.random.Generator,
    steps: int,
    clock_ns: int,
) -> int:
    explore = make_explorer(task, REACH, rng)
    drive = ActionDriver(sim, plane_scale(task, "action"), task.step_duration)
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
