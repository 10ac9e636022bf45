"""Data that bundles may be judged on: labelled, with commands, and trained on by none of them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wm_core.bundle import Bundle
from wm_core.compatibility import SAME
from wm_core.paths import worlds_dir
from wm_data.collect import collect
from wm_data.dataset import Dataset
from wm_data.loading import load_data
from wm_learning.pipelines.train import unseen
from wm_tasks.settings import TASK

EPISODES, STEPS = 20, 60  # collected in each world


def check_steps(bundles: Mapping[str, Bundle]) -> None:
    """Raise ValueError for a bundle of another rate than that of the task in which measurements are made."""
    for label, bundle in bundles.items():
        if abs(bundle.step_duration - TASK.step_duration) > SAME:
            raise ValueError(
                f"{label}: expected steps of {TASK.step_duration:g} s, as of the task '{TASK.name}', got {bundle.step_duration:g} s;"
                " such a bundle is measured in closed loop: ./wm launch arm_sim.launch.py bundle:=FOLDER task:=TASK episodes:=50"
            )


def held_out(bundles: dict[str, Bundle], data: Dataset) -> tuple[Dataset, list[str]]:
    """The episodes of `data` that no bundle was trained on, and sentences about what was left out.

    Raises ValueError for data without labels or commands, with other maps than a bundle's, or when nothing is left.
    """
    if data.video:
        raise ValueError("expected data with commands, got video: there are no actions to imagine from")
    if missing := np.flatnonzero(~np.isfinite(data.object_xy).all(1)).tolist():
        raise ValueError(
            f"expected object labels in every step (ground_truth/object_pose), got none in {len(missing)} of"
            f" {len(data.objects)} steps, first in step {missing[0]} (episode {data.episode[missing[0]]});"
            " record them or label the bags first"
        )
    for label, bundle in bundles.items():
        if bundle.bev != data.spec:
            raise ValueError(f"{label}: expected data with maps of {bundle.bev}, got {data.spec}; build it again")
    keep, notes = np.unique(data.episode), []
    for label, bundle in bundles.items():
        fresh = _unknown(bundle, data)
        if known := len(np.unique(data.episode)) - len(fresh):
            notes.append(f"{known} episodes are left out because {label} was trained on them, or on their seeds.")
        keep = np.intersect1d(keep, fresh)
    if not len(keep):
        raise ValueError(
            f"expected episodes that none of the bundles was trained on, got none among {len(np.unique(data.episode))};"
            " give others, or leave --data away and some are collected"
        )
    if any(data.seeds[episode] < 0 for episode in keep):
        notes.append(
            "The bags do not tell the seeds of all episodes: whether they were trained on could not be checked."
        )
    return (data if len(keep) == len(np.unique(data.episode)) else data.subset(keep)), notes


def _unknown(bundle: Bundle, data: Dataset) -> np.ndarray:
    """Numbers of the episodes that a bundle was not trained on, as far as the seeds tell: none (-1) tells nothing."""
    facts = bundle.spec.get("data", {})
    known = {part["fingerprint"] for part in facts.get("parts", {}).values()} | {facts.get("fingerprint")}
    if data.fingerprint() in known:
        return np.unique(unseen(bundle.path, data).episode)
    episodes, first_steps = np.unique(data.episode, return_index=True)
    first, last = facts.get("seeds", (0, -1))
    worlds = np.array([data.worlds[world] in facts.get("worlds", ()) for world in data.world[first_steps]])
    seeds = np.array(data.seeds)[episodes]
    return episodes[~(worlds & (seeds >= 0) & (first <= seeds) & (seeds <= last))]


def collect_held_out(bundle: Bundle, world: str, folder: Path, first_seed: int, episodes: int, workers: int) -> Dataset:
    """Explore in the worlds that a bundle was trained on, else in `world`: `episodes` in each, kept under `folder`."""
    trained = bundle.spec.get("data", {}).get("worlds", [])
    worlds = [name for name in trained if (worlds_dir() / f"{name}.yaml").is_file()] or [world]
    work = folder / f"{first_seed}_{episodes}x{STEPS}"
    bags = collect(worlds, episodes, STEPS, work / "bags", first_seed, workers)
    return load_data(bags, work, workers)
