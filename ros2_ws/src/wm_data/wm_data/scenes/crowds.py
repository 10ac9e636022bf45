"""Collects maps of crowded scenes with the object that each cell belongs to, in parallel processes; an interrupted collection goes on."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_core.sensor_spec import load_sensor
from wm_data.scenes.layout import SLOTS
from wm_data.scenes.shards import collect_files, one_thread, save
from wm_perception.scene.surface import Surface, SurfaceCamera
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_world import load_scene_world
from wm_sim.world import WorldError
from wm_tasks.scenes.sight import surface_of

SCENES_PER_SHARD = 40
NEAREST = 0.012  # [m] from an object within which a cell may be its own
SENSOR = "realistic"  # of every second shard; the cameras of the others are ideal
COLOURS = 0.15, 0.9  # of tables


@dataclass(frozen=True)
class Crowd:
    """The scenes of one file."""

    world: str
    first_seed: int
    scenes: int
    file: Path


def collect_crowds(world: str, scenes: int, folder: Path, first_seed: int, workers: int) -> list[Path]:
    """Collect maps of `scenes` starts of a world into files under `folder`; returns them. Files that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for start in range(0, scenes, SCENES_PER_SHARD):
        seed, count = first_seed + start, min(SCENES_PER_SHARD, scenes - start)
        shards.append(Crowd(world, seed, count, folder / f"{load_scene_world(world).name}_{seed:06d}.npz"))
    return collect_files("crowds", shards, collect_crowd, workers)


def collect_crowd(shard: Crowd) -> tuple[Path, str]:
    """Collect one file; returns it and how many scenes it has."""
    one_thread()
    rng = np.random.default_rng([shard.first_seed, 79])
    rig = CameraRig.load(rig_path("two_cameras_fine"))
    if rng.random() < 0.5:
        rig = rig.with_sensor(load_sensor(SENSOR))
    world = replace(load_scene_world(shard.world), table_colour=colours_of(rng))
    sim = SceneSim(world, load_robot(), rig=rig)
    camera, found = SurfaceCamera(rig, sim.kinematics), []
    for seed in range(shard.first_seed, shard.first_seed + shard.scenes):
        try:
            sim.reset(seed)
        except WorldError:
            continue
        found.append(labelled(sim, surface_of(sim, camera)))
    sim.close()
    save(shard.file, {name: np.stack([each[name] for each in found]) for name in found[0]})
    return shard.file, f"{len(found)} scenes"


def colours_of(rng: np.random.Generator) -> tuple[float, float, float]:
    """Of a table: red, green and blue, 0..1."""
    red, green, blue = rng.uniform(*COLOURS, 3)
    return float(red), float(green), float(blue)


def labelled(sim: SceneSim, surface: Surface) -> dict[str, np.ndarray]:
    """A map, the slot `owner` (X, Y) of the object that each occupied cell belongs to, -1 for none, and `tops` (SLOTS, 3) [m]: where
    the middle of each object's top is.
    """
    index = np.argwhere(surface.occupied)
    points = np.column_stack([surface.places(index), surface.height[surface.occupied]])
    owner, tops = np.full(surface.seen.shape, -1, np.int8), np.zeros((SLOTS, 3), np.float32)
    least = np.full(len(points), NEAREST)
    slots = np.full(len(points), -1, np.int8)
    for slot, solid in enumerate(sim.solids):
        off = np.abs(solid.beyond(points))
        slots[off < least], least = slot, np.minimum(off, least)
        tops[slot] = *((solid.lower + solid.upper) / 2)[:2], solid.upper[2]
    owner[tuple(index.T)] = slots
    return {
        "height": surface.height.astype(np.float16),
        "seen": surface.seen,
        "colour": (255 * surface.colour).astype(np.uint8),
        "owner": owner,
        "tops": tops,
        "lower": surface.lower,
    }
