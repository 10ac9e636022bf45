"""The shipped bundle of scenes from nothing: motions, the model, maps of crowds, what takes them apart. A killed run goes on."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wm_data.scenes.collect import collect_scenes
from wm_data.scenes.crowds import collect_crowds
from wm_data.scenes.dataset import load_scenes
from wm_learning.parting.training import STEPS
from wm_learning.pipelines.train import RunSettings
from wm_learning.pipelines.train_parts import train_parts
from wm_learning.pipelines.train_scene import train_scene_bundle

ROUNDS, APART = 10, 1000  # of collecting; between the first seeds of two rounds
# World, starts, first seed: of the first round; of what is collected once.
EVERY_ROUND = (
    ("clutter", 100, 100_000),
    ("tall", 50, 200_000),
    ("extremes", 50, 200_050),
    ("single", 50, 200_100),
    ("edge", 25, 300_000),
)
ONCE = (("shapes", 400, 400_000), ("slippery", 50, 500_000))
COLLECTED = (
    *((world, starts, seed + APART * number) for number in range(ROUNDS) for world, starts, seed in EVERY_ROUND),
    *ONCE,
)
CROWDS = (("piles", 1600, 800_000), ("crowd", 4000, 900_000))  # world, starts, first seed, of what is seen of crowds


def reproduce_scene(
    work: Path,
    bundle: Path,
    workers: int,
    collected: Iterable[tuple[str, int, int]] = COLLECTED,
    own: Mapping[str, Any] | None = None,
    crowds: Iterable[tuple[str, int, int]] = CROWDS,
    steps: int = STEPS,
) -> Path:
    """Write the bundle to `bundle`, and what it learns from under `work`; `collected`, `crowds`: world, starts, first seed of motions and
    of maps; `own`: settings of the family; `steps`: of the training with maps.
    """
    motions = work / "scenes"
    for world, starts, seed in collected:
        collect_scenes([world], starts, motions, seed, workers)
    train_scene_bundle(load_scenes(motions), bundle, RunSettings(family="scene", threads=1), dict(own or {}))
    maps = [
        file for world, starts, seed in crowds for file in collect_crowds(world, starts, work / "crowds", seed, workers)
    ]
    return train_parts(maps, work / "parts.run", bundle, steps=steps)
