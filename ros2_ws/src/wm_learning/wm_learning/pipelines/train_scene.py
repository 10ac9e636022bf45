"""From motions in scenes to a bundle: training, held-out figures, export. A killed run goes on where it was."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from wm_core.config import configure
from wm_core.hand import Hand
from wm_core.revision import revision
from wm_core.robot import load_robot
from wm_data.scenes.dataset import SceneDataset
from wm_learning.families.scene import SceneConfig, SceneNetwork
from wm_learning.families.scene.export import export_scene_bundle
from wm_learning.families.scene.training import SceneTraining
from wm_learning.figures.scenes import errors, intervals
from wm_learning.pipelines.train import RunSettings, remember
from wm_learning.training.trainer import Trainer


def train_scene_bundle(
    dataset: SceneDataset, folder: Path, settings: RunSettings, own: dict[str, Any] | None = None
) -> Path:
    """Train on motions and export the bundle to `folder`; `own`: settings of the family, and `robot`."""
    own = dict(own or {})
    robot = load_robot(own.pop("robot", "panda"))
    config: SceneConfig = configure(SceneConfig, own)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    training, held_out = dataset.split(settings.validation_share, settings.seed)
    hand = Hand.of(robot)
    network = SceneNetwork(config, hand)
    fingerprint = dataset.fingerprint()
    facts = {**asdict(settings), settings.family: asdict(config), "robot": robot.name, "data": fingerprint}
    facts.pop("pretraining")
    work = folder.with_name(f"{folder.name}.run")
    remember(work, facts)
    spent = Trainer(network, work, settings.seed, settings.checkpoint_s).run(
        SceneTraining(network, training, held_out).phases()
    )
    network.eval()
    figures = errors(network, held_out)
    for kind, methods in figures.items():
        said = "; ".join(f"{horizon}: {row[0]} mm, {row[1]} deg" for horizon, row in methods["model"].items())
        print(f"held out, {kind}: {said}")
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    export_scene_bundle(
        network,
        hand,
        folder,
        f"{settings.family}-{identity}",
        intervals=intervals(network, held_out, config.horizon),
        data={
            "worlds": list(dataset.worlds),
            "motions": dataset.motions,
            "steps": dataset.motions * dataset.steps,
            "fingerprint": fingerprint,
            "training": facts,
            "revision": revision(),
            "training_s": round(spent),
        },
        metrics={"open_loop": figures},
    )
    print(f"exported {folder} after {spent:.0f} s of training")
    return folder
