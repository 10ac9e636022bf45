"""Bundles that are bad on purpose, made from a good one."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from wm_core.bundle import sha256


def broken(source: Path, folder: Path) -> Path:
    """A copy whose `filter` is no graph, with a checksum that says it is as it should be."""
    spec = _copy(source, folder, "broken")
    (folder / "filter.onnx").write_bytes(b"no graph")
    return _finish(spec, folder)


def nonsense(source: Path, folder: Path, gain: float) -> Path:
    """A copy that takes every action for `gain` times as large: it pushes, and the object moves otherwise than it predicts."""
    spec = _copy(source, folder, f"gain{gain:g}")
    for name, action in (("filter", "action"), ("rollout", "actions")):
        graph = onnx.load(folder / f"{name}.onnx")
        for node in graph.graph.node:
            node.input[:] = ["believed_action" if each == action else each for each in node.input]
        graph.graph.node.insert(0, helper.make_node("Mul", [action, "believed_gain"], ["believed_action"]))
        graph.graph.initializer.append(helper.make_tensor("believed_gain", TensorProto.FLOAT, [], [gain]))
        onnx.save(graph, folder / f"{name}.onnx")
    return _finish(spec, folder)


def other_pace(source: Path, folder: Path) -> Path:
    """A copy that says it was trained for steps twice as long: it fits no node that runs with the source."""
    spec = _copy(source, folder, "pace")
    return _finish({**spec, "step_duration": 2 * spec["step_duration"]}, folder)


def noisy(source: Path, folder: Path, strength: float) -> Path:
    """A copy with noise on the weights of its dynamics, `strength` times the spread of each matrix: it trusts none of its plans."""
    spec = _copy(source, folder, f"noise{strength:g}")
    rng = np.random.default_rng(0)
    for name in ("filter", "rollout"):
        graph = onnx.load(folder / f"{name}.onnx")
        for tensor in graph.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.ndim >= 2:
                noise = strength * values.std() * rng.standard_normal(values.shape)
                tensor.CopyFrom(numpy_helper.from_array((values + noise).astype(np.float32), tensor.name))
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
