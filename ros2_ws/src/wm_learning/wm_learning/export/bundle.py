"""Export of a trained model as a bundle: ONNX graphs, weights and bundle.yaml, written completely or not at all."""

import shutil
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from wm_core.atomic import new_folder
from wm_core.bundle import BevSpec, Bundle, sha256
from wm_core.bundle_schema import SCHEMA_VERSION
from wm_learning.export.weights import save_weights
from wm_learning.families.base import Sizes, WorldModel
from wm_learning.policy.networks import Intend


def export_bundle(
    model: WorldModel,
    folder: Path,
    bundle_id: str,
    *,
    surprise_threshold: float,
    data: dict[str, Any],
    metrics: dict[str, Any],
) -> Path:
    """Write the bundle to `folder` (replacing an older one at the end in one rename) and load it back as a check."""
    model = model.eval().cpu()
    folder = Path(folder)
    with new_folder(folder) as work:
        modules = model.graphs()
        if "policy" in modules:
            modules["intend"] = Intend(modules["policy"], modules["rollout"], model.sizes.horizon)
        _write_graphs(modules, model.sizes, model.bev, work)
        save_weights(model, work)
        sizes, bev = model.sizes, model.bev
        mean, variance = model.initial()
        spec = {
            "schema": SCHEMA_VERSION,
            "id": bundle_id,
            "family": model.family,
            "step_duration": sizes.step_duration,
            "action_scale": sizes.action_scale,
            "horizon": sizes.horizon,
            "ensemble": sizes.members,
            "sizes": {"latent": sizes.latent, "embedding": sizes.embedding, "action": 2, "proprio": 4},
            "bev": {name: getattr(bev, name) for name in bev.__dataclass_fields__},
            "initial": {"mean": [round(v, 6) for v in mean.tolist()], "variance": variance.tolist()},
            "surprise_threshold": float(surprise_threshold),
            "data": data,
            "metrics": metrics,
            "files": _checksums(work),
        }
        (work / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        Bundle.load(work)
    return folder


def add_policy(
    bundle: Path,
    folder: Path,
    policy: nn.Module,
    value: nn.Module,
    model: WorldModel,
    bundle_id: str,
    facts: dict[str, Any],
) -> Path:
    """Write to `folder` the bundle in `bundle`, which was made of `model`, with another id, a policy and what it will cost.

    `facts`: of its training.
    """
    intend = Intend(policy, model.graphs()["rollout"], model.sizes.horizon)
    modules = {"policy": policy, "intend": intend, "value": value}
    return add_graphs(bundle, folder, modules, {"id": bundle_id, "policy": facts})


def add_graphs(bundle: Path, folder: Path, modules: dict[str, nn.Module], facts: dict[str, Any]) -> Path:
    """Write to `folder` the bundle in `bundle` with more graphs; `facts` go into its bundle.yaml, over what is there."""
    loaded = Bundle.load(bundle)
    spec = {**loaded.spec, **facts}
    own = spec["sizes"]
    sizes = Sizes(own["latent"] - 6, own["embedding"] - 5, loaded.ensemble, loaded.horizon)
    with new_folder(folder) as work:
        for name in loaded.spec["files"]:
            shutil.copyfile(bundle / name, work / name)
        span = spec["macro"]["steps"] * spec["macro"]["jumps"] if "jump" in modules else 0
        _write_graphs({name: module.eval() for name, module in modules.items()}, sizes, loaded.bev, work, span)
        spec["files"] = _checksums(work)
        (work / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        Bundle.load(work)
    return folder


def _checksums(folder: Path) -> dict[str, str]:
    """Of the graphs and, where they are, the weights."""
    return {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.suffix in (".onnx", ".safetensors")}


def _write_graphs(modules: dict[str, nn.Module], sizes: Sizes, bev: BevSpec, folder: Path, span: int = 0) -> None:
    """`span`: steps of one call of the graph `jump`."""
    state = torch.zeros(1, sizes.latent)
    imagined = (
        ["latent", "actions"],
        ["readout", "variance", "final"],
        {"latent": {0: "e", 1: "n"}, "actions": {0: "N"}, "readout": {1: "N"}, "variance": {1: "N"}, "final": {1: "N"}},
    )
    graphs: dict[str, tuple[tuple[Tensor, ...], list[str], list[str], dict[str, dict[int, str]]]] = {
        "encode": (
            (torch.zeros(2, 5, bev.rows, bev.columns),),
            ["bev"],
            ["embedding"],
            {"bev": {0: "b"}, "embedding": {0: "b"}},
        ),
        "filter": (
            (state, state + 1, torch.zeros(1, 2), torch.zeros(1, sizes.embedding), torch.zeros(1, 4)),
            ["mean", "variance", "action", "embedding", "proprio"],
            ["posterior_mean", "posterior_variance", "predicted_object", "predicted_variance", "surprise"],
            {},
        ),
        "rollout": ((state[None], torch.zeros(3, sizes.horizon, 2)), *imagined),
        "jump": ((state[None], torch.zeros(3, span, 2)), *imagined),
        "decode": (
            (torch.zeros(2, sizes.latent),),
            ["latent"],
            ["image", "readout"],
            {"latent": {0: "b"}, "image": {0: "b"}, "readout": {0: "b"}},
        ),
        "policy": (
            (torch.zeros(2, sizes.latent), torch.zeros(2, 2)),
            ["latent", "goal"],
            ["action"],
            {"latent": {0: "b"}, "goal": {0: "b"}, "action": {0: "b"}},
        ),
        "intend": (
            (torch.zeros(2, sizes.latent), torch.zeros(2, 2)),
            ["latent", "goal"],
            ["actions"],
            {"latent": {0: "b"}, "goal": {0: "b"}, "actions": {0: "b"}},
        ),
        "value": (
            (torch.zeros(2, sizes.latent), torch.zeros(2, 2)),
            ["latent", "goal"],
            ["value"],
            {"latent": {0: "b"}, "goal": {0: "b"}, "value": {0: "b"}},
        ),
    }
    for name, module in modules.items():
        inputs, input_names, output_names, axes = graphs[name]
        torch.onnx.export(
            module,
            inputs,
            str(folder / f"{name}.onnx"),
            input_names=input_names,
            output_names=output_names,
            dynamic_axes=axes,
            opset_version=18,
            dynamo=False,
        )
