"""Bundles that the tests of several packages need: the shipped one with another policy and value, or without."""

import shutil
from pathlib import Path

import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from wm_core.bundle import Bundle, sha256
from wm_core.bundle_schema import OPTIONAL_GRAPHS
from wm_core.paths import bundles_dir

JUMP = 3  # steps

# The tool goes straight to the goal and pushes what is on its way; worth: ten for a metre between object and goal.
STRAIGHT = {
    "policy": """
        policy (float[b, l] latent, float[b, 2] goal) => (float[b, 2] action)
        <int64[1] from = {2}, int64[1] to = {4}, int64[1] axis = {1}, float gain = {10}, float one = {1}> {
            tool = Slice(latent, from, to, axis)
            way = Sub(goal, tool)
            wish = Mul(way, gain)
            length = ReduceL2(wish, axis)
            limit = Max(length, one)
            action = Div(wish, limit)
        }""",
    "intend": """
        intend (float[b, l] latent, float[b, 2] goal) => (float[b, 12, 2] actions)
        <int64[1] from = {2}, int64[1] to = {4}, int64[1] axis = {1}, float gain = {10}, float one = {1},
         int64[3] times = {1, 12, 1}> {
            tool = Slice(latent, from, to, axis)
            way = Sub(goal, tool)
            wish = Mul(way, gain)
            length = ReduceL2(wish, axis)
            limit = Max(length, one)
            action = Div(wish, limit)
            single = Unsqueeze(action, axis)
            actions = Tile(single, times)
        }""",
    "value": """
        value (float[b, l] latent, float[b, 2] goal) => (float[b] value)
        <int64[1] from = {0}, int64[1] to = {2}, int64[1] axis = {1}, float gain = {10}> {
            object = Slice(latent, from, to, axis)
            way = Sub(goal, object)
            length = ReduceL2<keepdims = 0>(way, axis)
            value = Mul(length, gain)
        }""",
}


def _copy(folder: Path, graphs: dict[str, str]) -> Path:
    """The shipped bundle with these optional graphs and no others."""
    shutil.copytree(bundles_dir() / "default", folder)
    for name in OPTIONAL_GRAPHS:
        (folder / f"{name}.onnx").unlink(missing_ok=True)
    for name, text in graphs.items():
        model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {text}')
        onnx.save(model, folder / f"{name}.onnx")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    spec["files"] = {file.name: sha256(file) for file in sorted(folder.glob("*.onnx"))}
    spec.pop("macro", None)
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    return folder


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle with a policy that goes straight to the goal, and a value."""
    return _copy(tmp_path_factory.mktemp("straight") / "bundle", STRAIGHT)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle without policy and value."""
    return _copy(tmp_path_factory.mktemp("bare") / "bundle", {})


@pytest.fixture(scope="session")
def another(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle without policy, value and jumps, under an id of its own."""
    folder = shutil.copytree(bare, tmp_path_factory.mktemp("another") / "bundle")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    (folder / "bundle.yaml").write_text(yaml.safe_dump({**spec, "id": "another"}))
    return folder


@pytest.fixture(scope="session")
def jumping(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The shipped bundle with jumps of three steps that are as good as its steps: what its rollouts say of every third."""
    folder = shutil.copytree(bare, tmp_path_factory.mktemp("jumping") / "bundle")
    graph = onnx.load(folder / "rollout.onnx")
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    jumps = spec["horizon"] // JUMP
    numbers = [("start", [JUMP - 1]), ("end", [spec["horizon"]]), ("axis", [2]), ("step", [JUMP])]
    graph.graph.initializer.extend(helper.make_tensor(f"jump_{n}", TensorProto.INT64, [1], v) for n, v in numbers)
    for name, size in (("readout", 4), ("variance", 2)):
        for node in graph.graph.node:
            node.output[:] = [f"{name}_of_steps" if output == name else output for output in node.output]
            node.input[:] = [f"{name}_of_steps" if each == name else each for each in node.input]
        graph.graph.node.append(
            helper.make_node("Slice", [f"{name}_of_steps", *(f"jump_{n}" for n, _ in numbers)], [name])
        )
        output = next(each for each in graph.graph.output if each.name == name)
        output.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, [spec["ensemble"], "N", jumps, size]))
    onnx.save(graph, folder / "jump.onnx")
    spec["files"]["jump.onnx"] = sha256(folder / "jump.onnx")
    spec["macro"] = {"steps": JUMP, "jumps": jumps}
    if "calibration" in spec:
        spec["macro"]["calibration"] = spec["calibration"]
    (folder / "bundle.yaml").write_text(yaml.safe_dump(spec))
    return Bundle.load(folder)
