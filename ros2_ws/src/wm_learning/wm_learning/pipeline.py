"""From nothing to a bundle: collect, dataset, train, evaluate, export; each step resumes where it was interrupted."""

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from wm_learning.collect import collect
from wm_learning.dataset import Dataset, build_dataset
from wm_learning.evaluate import evaluate
from wm_learning.export import export_bundle
from wm_learning.grounded import GroundedModel, Sizes
from wm_learning.settings import TRAINING_SEEDS
from wm_learning.train import TrainConfig, embed, split, train_joint, train_sequence

WORLDS = ["tabletop_block", "tabletop_mug", "tabletop_disk"]


def train_bundle(data: Dataset, folder: Path, config: TrainConfig, sizes: Sizes | None = None) -> Path:
    """Train on a dataset and export the bundle to `folder`."""
    began = time.monotonic()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    training, validation = split(data, config)
    labelled = np.isfinite(data.object).all()
    if not labelled:
        raise ValueError(
            "expected object labels in every step (ground_truth/object_pose); record them or label the bags first"
        )
    model = GroundedModel(sizes)
    train_joint(model, data, training, config)
    embeddings = embed(model, data)
    train_sequence(model, data, embeddings, training, config)
    held_out = evaluate(model, data, embeddings, validation)
    for name, value in held_out.metrics().items():
        print(f"held out {name}: {value}")
    fingerprint = hashlib.sha256(json.dumps([data.seeds, asdict(config), asdict(model.sizes)]).encode()).hexdigest()[:8]
    facts = {
        "worlds": data.worlds,
        "episodes": len(np.unique(data.episode)),
        "steps": len(data.episode),
        "seeds": [min(data.seeds), max(data.seeds)],
        "training": {**asdict(config), **asdict(model.sizes)},
        "validation_episodes": len(validation),
    }
    export_bundle(
        model,
        folder,
        f"grounded-{fingerprint}",
        surprise_threshold=held_out.surprise_threshold,
        data=facts,
        metrics=held_out.metrics(),
    )
    print(f"exported {folder} after {time.monotonic() - began:.0f} s")
    return folder


def reproduce(work: Path, bundle: Path, episodes: int, steps: int, workers: int, config: TrainConfig) -> Path:
    """The shipped bundle from nothing."""
    if len(WORLDS) * episodes > TRAINING_SEEDS:
        raise ValueError(
            f"expected at most {TRAINING_SEEDS // len(WORLDS)} episodes per world, got {episodes}; seeds above are for tests"
        )
    began = time.monotonic()
    bags = collect(WORLDS, episodes, steps, work / "bags", 0, workers)
    print(f"collected {len(bags)} bags after {time.monotonic() - began:.0f} s", flush=True)
    data = build_dataset(bags, work / "dataset", workers)
    print(f"built the dataset of {len(data.episode)} steps after {time.monotonic() - began:.0f} s", flush=True)
    train_bundle(data, bundle, config)
    print(f"reproduced {bundle} in {(time.monotonic() - began) / 60:.1f} min", flush=True)
    return bundle
