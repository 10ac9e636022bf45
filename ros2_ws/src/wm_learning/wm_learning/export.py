"""Export of a trained model as a bundle: ONNX graphs and bundle.yaml, written completely or not at all."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from wm_core.bundle import SCHEMA_VERSION, Bundle, sha256
from wm_learning.families.base import WorldModel


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
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_graphs(model, work)
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
            "files": {file.name: sha256(file) for file in sorted(work.glob("*.onnx"))},
        }
        (work / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        Bundle.load(work)
        work.chmod(0o755)
        old = folder.with_name(f".{folder.name}-old")
        if folder.exists():
            folder.rename(old)
        work.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _write_graphs(model: WorldModel, folder: Path) -> None:
    sizes, bev = model.sizes, model.bev
    candidates = torch.zeros(3, sizes.horizon, 2)
    state = torch.zeros(1, sizes.latent)
    modules = model.graphs()
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
        "rollout": (
            (torch.zeros(1, 1, sizes.latent), candidates),
            ["latent", "actions"],
            ["readout", "variance", "final"],
            {
                "latent": {0: "e", 1: "n"},
                "actions": {0: "N"},
                "readout": {1: "N"},
                "variance": {1: "N"},
                "final": {1: "N"},
            },
        ),
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
