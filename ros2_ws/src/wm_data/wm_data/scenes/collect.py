"""Collects motions in simulated scenes into shards, in parallel processes; an interrupted collection goes on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wm_core.robot import load_robot
from wm_core.solid import POINTS
from wm_core.task import TaskError
from wm_data.scenes.layout import empty
from wm_data.scenes.shards import collect_files, one_thread, save
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import LIMIT, PERIOD
from wm_sim.scene_world import load_scene_world
from wm_sim.tool_driver import ToolDriver
from wm_sim.world import WorldError
from wm_tasks.explorers.scene import WEIGHTS, Motion, SceneExplorer

EPISODES_PER_SHARD = 25
MOTIONS, STEPS = 5, 28  # of an episode: of a start; of a motion
SETTLE_STEPS = 60  # of physics between two motions, with the arm away
STRAYED = 0.06  # [m] beyond the start's region, after which an episode ends
NAMES = tuple(WEIGHTS)  # of motions


@dataclass(frozen=True)
class Shard:
    """The episodes of one file."""

    world: str
    robot: str
    first_seed: int
    episodes: int
    file: Path


def collect_scenes(
    worlds: list[str], episodes: int, folder: Path, first_seed: int, workers: int, robot: str = "panda"
) -> list[Path]:
    """Collect `episodes` starts per world (name or file) into files under `folder`; returns them. Files that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for index, world in enumerate(worlds):
        name = load_scene_world(world).name
        for start in range(0, episodes, EPISODES_PER_SHARD):
            seed = first_seed + index * episodes + start
            count = min(EPISODES_PER_SHARD, episodes - start)
            shards.append(Shard(world, robot, seed, count, folder / f"{name}_{seed:06d}.npz"))
    return collect_files("collect", shards, collect_shard, workers)


def collect_shard(shard: Shard) -> tuple[Path, str]:
    """Collect one file; returns it and how many motions it has."""
    one_thread()
    sim = SceneSim(load_scene_world(shard.world), load_robot(shard.robot))
    driver = ToolDriver(sim, PERIOD)
    if not sim.hand.grips:
        raise TaskError(f"{sim.robot.file}: expected a robot with a gripper for collecting scenes, it has none")
    explorer = SceneExplorer(sim.hand, driver.lower, driver.upper, LIMIT, STEPS)
    found = []
    for seed in range(shard.first_seed, shard.first_seed + shard.episodes):
        found += list(_episode(sim, driver, explorer, seed))
    sim.close()
    arrays = empty(len(found), STEPS)
    for number, record in enumerate(found):
        for name, values in record.items():
            arrays[name][number] = values
    save(shard.file, arrays)
    return shard.file, f"{len(found)} motions"


def _episode(sim: SceneSim, driver: ToolDriver, explorer: SceneExplorer, seed: int) -> Iterator[dict[str, np.ndarray]]:
    try:
        rng = sim.reset(seed)
    except WorldError:
        return
    for _ in range(MOTIONS):
        motion = explorer.draw(sim.scene, rng)
        if not driver.teleport(motion.start):
            continue
        for moved in motion.moved:
            sim.put(moved.slot, moved.position, moved.rotation, moved.velocity)
        yield _record(sim, driver, motion, seed)
        driver.teleport(np.array([*sim.robot.home.position[:2], driver.upper[2], 0.0, 0.0, driver.upper[5]]))
        sim.step(SETTLE_STEPS)
        region, at = sim.world.start.region, sim.scene.position
        strayed = (at[:, :2] < region.lower - STRAYED) | (at[:, :2] > region.upper + STRAYED)
        if strayed.any() or (at[:, 2] < 0).any():
            return


def _record(sim: SceneSim, driver: ToolDriver, motion: Motion, seed: int) -> dict[str, np.ndarray]:
    arrays = {name: values[0] for name, values in empty(1, STEPS).items()}
    count, bodies = len(sim.objects), sim.objects
    arrays["present"][:count] = True
    arrays["outline"][:count] = sim.scene.shape.reshape(count, POINTS, 2)
    arrays["height"][:count] = [body.solid.size[2] for body in bodies]
    arrays["friction"][:count] = [body.body.friction * sim.friction for body in bodies]
    arrays["mass"][:count] = [body.body.mass for body in bodies]
    arrays["table"][:] = np.concatenate(sim.world.table)
    arrays["motion"] = np.array(NAMES.index(motion.name))
    arrays["seed"] = np.array(seed)
    for step in range(STEPS + 1):
        scene, (by_robot, by_object) = sim.scene, sim.touched()
        arrays["tool"][step], arrays["opening"][step] = driver.commanded.values, sim.arm.opening()
        arrays["objects"][step, :count] = np.concatenate([scene.position, scene.rotation, scene.velocity], -1)
        arrays["by_robot"][step, :count], arrays["by_object"][step, :count] = by_robot, by_object.any(1)
        if step < STEPS:
            arrays["moves"][step] = driver.move(motion.moves[step])
    return arrays
