"""Bundles that are bad on purpose, made from a good one."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import numpy_helper

from wm_core.bundle import sha256


def broken(source: Path, folder: Path) -> Path:
    """A copy whose `filter` is no graph, with a checksum that says it is as it should be."""
    spec = _copy(source, folder, "broken")
    (folder / "filter.onnx").write_bytes(b"no graph")
    return _finish(spec, folder)


def nonsense(source: Path, folder: Path, strength: float) -> Path:
    """A copy whose dynamics have noise on their weights, `strength` times the spread of each matrix."""
    spec = _copy(source, folder, f"noise{strength:g}")
    rng = np.random.default_rng(0)
    for name in ("filter", "rollout"):
        graph = onnx.load(folder / f"{name}.onnx")
        for tensor in graph.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.ndim >= 2:
                noisy = values + strength * values.std() * rng.standard_normal(values.shape)
                tensor.CopyFrom(numpy_helper.from_array(noisy.astype(np.float32), tensor.name))
        onnx.save(graph, folder / f"{name}.onnx")
    return _finish(spec, folder)


def _copy(source: Path, folder: Path, suffix: str) -> dict[str, Any]:
    folder.mkdir(parents=True)
    spec = yaml.safe_load((source / "bundle.yaml").read_text())
    for name in spec["files"]:
        (folder / name).write_bytes((source / name).read_bytes())
    return {**spec, "id": f"{spec['id']}-{suffix}"}


def _finish(spec: dict[str, Any], folder: Path) -> Path:
    spec["files"] = {name: sha256(folder / name) for name in spec["files"]}
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    return folder
