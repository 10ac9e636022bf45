"""Export of a trained model as a bundle: ONNX graphs, weights and bundle.yaml, written completely or not at all."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from wm_core.atomic import new_folder
from wm_core.bundle import Bundle, sha256
from wm_core.bundle_schema import SCHEMA_VERSION
from wm_core.graph_specs import BY_NAME, Tensor, sizes_of
from wm_core.specs import ObservationSpec
from wm_learning.export.weights import save_weights
from wm_learning.families.base import WorldModel
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
        sizes = model.sizes
        state, action, observation = sizes.specification, sizes.action, ObservationSpec(sizes.features, model.bev)
        named = sizes_of(state, action, observation, ensemble=sizes.members, horizon=sizes.horizon)
        _write_graphs(modules, named, work)
        save_weights(model, work)
        mean, variance = model.initial()
        spec = {
            "schema": SCHEMA_VERSION,
            "id": bundle_id,
            "family": model.family,
            "step_duration": sizes.step_duration,
            "state": state.to_dict(),
            "action": action.to_dict(),
            "observation": observation.to_dict(),
            "horizon": sizes.horizon,
            "ensemble": sizes.members,
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
    sizes = dict(loaded.sizes)
    if "jump" in modules:
        steps, jumps = spec["macro"]["steps"], spec["macro"]["jumps"]
        sizes |= {"J": jumps, "S": steps * jumps}
    with new_folder(folder) as work:
        for name in loaded.spec["files"]:
            shutil.copyfile(bundle / name, work / name)
        _write_graphs({name: module.eval() for name, module in modules.items()}, sizes, work)
        spec["files"] = _checksums(work)
        (work / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        Bundle.load(work)
    return folder


def _checksums(folder: Path) -> dict[str, str]:
    """Of the graphs and, where they are, the weights."""
    return {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.suffix in (".onnx", ".safetensors")}


def _write_graphs(modules: Mapping[str, nn.Module], sizes: Mapping[str, int], folder: Path) -> None:
    """Export modules as the graphs of their names; `sizes`: by the names of wm_core.graph_specs."""
    for name, module in modules.items():
        graph = BY_NAME[name]
        torch.onnx.export(
            module,
            tuple(_example(tensor, sizes) for tensor in graph.inputs),
            str(folder / f"{name}.onnx"),
            input_names=[tensor.name for tensor in graph.inputs],
            output_names=[tensor.name for tensor in graph.outputs],
            dynamic_axes=graph.dynamic_axes(sizes),
            opset_version=18,
            dynamo=False,
        )


def _example(tensor: Tensor, sizes: Mapping[str, int]) -> torch.Tensor:
    """Numbers of an input's shape; what broadcasts is 1, so that the graph keeps it free."""
    free = {"b": 2, "N": 3, "e": 1, "n": 1}
    shape = [side if isinstance(side, int) else sizes.get(side, free.get(side, 1)) for side in tensor.shape]
    return torch.ones(shape) if tensor.name == "variance" else torch.zeros(shape)
