"""What the tests of several packages need: the shipped bundle with another policy and value, or without; a small synthetic dataset, in
which a tool pushes a disk on a table, drawn straight into map form."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from wm_core.bundle import Bundle, sha256
from wm_core.graph_specs import OPTIONAL
from wm_core.paths import bundles_dir
from wm_core.specs import BevSpec
from wm_core.task import load_task
from wm_data.dataset import MOTION, Dataset
from wm_tasks.explorers import make_explorer
from wm_tasks.settings import REACH, REACH_BOX, TASK

JUMP = 3  # steps


@pytest.fixture(scope="module")
def ros() -> Iterator[None]:
    """ROS in this process, for the nodes that a module's tests make."""
    import rclpy

    rclpy.init()
    yield
    rclpy.try_shutdown()


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
    for name in OPTIONAL:
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
def fast(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle as if it had been trained for push_20hz, whose steps are half as long: wrong futures of the right form."""
    folder = shutil.copytree(bare, tmp_path_factory.mktemp("fast") / "bundle")
    task, spec = load_task("push_20hz"), yaml.safe_load((folder / "bundle.yaml").read_text())
    facts = {"id": "fast", "step_duration": task.step_duration, "action": task.action.to_dict()}
    (folder / "bundle.yaml").write_text(yaml.safe_dump({**spec, **facts}))
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


OBJECT_RADIUS, TOOL_RADIUS = 0.035, 0.012


def push(tool: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Quasi-static contact: the object gives way along the contact normal."""
    away = target - tool
    overlap = OBJECT_RADIUS + TOOL_RADIUS - np.linalg.norm(away)
    return target + away / np.linalg.norm(away) * overlap if overlap > 0 else target


def draw(spec: BevSpec, tool: np.ndarray, target: np.ndarray) -> np.ndarray:
    """One camera's map (5, rows, columns): grey table, red disk, nothing seen under the tool."""
    x = spec.x_min + (np.arange(spec.rows) + 0.5)[:, None] * spec.cell
    y = spec.y_min + (np.arange(spec.columns) + 0.5)[None] * spec.cell
    disk = np.hypot(x - target[0], y - target[1]) < OBJECT_RADIUS
    bev = np.zeros((5, spec.rows, spec.columns))
    bev[0] = disk * 0.04 / spec.z_max
    bev[1:4] = 0.5
    bev[1], bev[2], bev[3] = np.where(disk, [[[0.9]], [[0.1]], [[0.1]]], 0.5)
    bev[4] = 1
    return bev * (np.hypot(x - tool[0], y - tool[1]) > 0.02)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    spec, rng = BevSpec(), np.random.default_rng(0)
    rows: dict[str, list] = {name: [] for name in ("bev", *MOTION, "episode")}
    for episode in range(12):
        explore = make_explorer(TASK, REACH, np.random.default_rng(episode))
        tool, target = np.array([0.32, 0.0]), rng.uniform([0.42, -0.15], [0.58, 0.15])
        for _ in range(40):
            action = explore.action(tool, target)
            following = np.clip(tool + TASK.action.scaled(action), REACH_BOX[0], REACH_BOX[1])
            bev = draw(spec, tool, target)
            rows["bev"].append(np.stack([bev, bev]))
            rows["tool"].append(TASK.action.tool_state(tool))
            rows["target"].append(rows["tool"][-1])
            rows["action"].append(TASK.action.unscaled(following - tool))
            rows["objects"].append([[*target, 0.0, 0.0]])
            rows["episode"].append(episode)
            for share in np.linspace(0.1, 1, 10):
                target = push(tool + share * (following - tool), target)
            tool = following
    return Dataset(
        bev=np.rint(np.stack(rows["bev"]) * 255).astype(np.uint8),
        episode=np.array(rows["episode"], np.int32),
        world=np.zeros(len(rows["episode"]), np.int16),
        worlds=["synthetic"],
        seeds=list(range(12)),
        **{name: np.array(rows[name], np.float32) for name in MOTION},
        action_spec=TASK.action,
    )
