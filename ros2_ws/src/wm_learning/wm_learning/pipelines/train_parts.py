"""From maps of crowded scenes to the graph of a bundle that takes touching objects apart. A killed run goes on where it was."""

import shutil
from pathlib import Path

import torch
import yaml

from wm_core.atomic import new_folder
from wm_core.bundle import sha256
from wm_core.scene_bundle import PARTS, SceneBundle
from wm_learning.parting.network import CHANNELS, PartsNetwork
from wm_learning.parting.training import CROP, STEPS, Crowds, PartsTraining
from wm_learning.training.trainer import Trainer

SEED = 0


def train_parts(files: list[Path], work: Path, bundle: Path, threads: int = 1, steps: int = STEPS) -> Path:
    """Train on the maps of `files` with checkpoints in `work`, and put the graph into a bundle of scenes; returns the bundle."""
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    network, crowds = PartsNetwork(), Crowds(files)
    work.mkdir(parents=True, exist_ok=True)
    spent = Trainer(network, work, SEED).run(PartsTraining(network, crowds, steps).phases())
    add_parts(network.eval(), bundle, {"scenes": len(crowds), "steps": steps, "training_s": round(spent)})
    print(f"put {PARTS} into {bundle} after {spent:.0f} s of training")
    return bundle


def add_parts(network: PartsNetwork, bundle: Path, facts: dict[str, int]) -> None:
    """The network as a graph of a bundle of scenes, in place of an older one; `facts`: of its training."""
    loaded = SceneBundle.load(bundle)
    with new_folder(bundle) as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        torch.onnx.export(
            network,
            (torch.zeros(1, CHANNELS, CROP, CROP),),
            str(folder / PARTS),
            input_names=["map"],
            output_names=["votes"],
            dynamic_axes={"map": {2: "X", 3: "Y"}, "votes": {2: "X", 3: "Y"}},
            opset_version=18,
            dynamo=False,
        )
        spec = {**loaded.spec, "parts": facts, "files": {**loaded.spec["files"], PARTS: sha256(folder / PARTS)}}
        (folder / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        SceneBundle.load(folder)
