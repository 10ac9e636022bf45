"""Model bundles: a folder with `bundle.yaml` and ONNX graphs. Data only: nothing in it is executed on load."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import yaml
from jsonschema import Draft202012Validator

from wm_core.bundle_schema import GRAPHS, OPTIONAL_GRAPHS, SCHEMA
from wm_core.specs import BevSpec

READOUT = ("object_x", "object_y", "ee_x", "ee_y")
# Every family's embedding begins with object x, y [m], the log of their variances and the logit of being visible.
OBJECT, LOG_VARIANCE, VISIBILITY = slice(0, 2), slice(2, 4), 4
HIDDEN_LOGIT = -20.0  # visibility of an object that is certainly not seen


class BundleError(ValueError):
    """A bundle that cannot be used: says what was expected, what came and what to do."""


@dataclass(frozen=True)
class Bundle:
    """A loaded and verified model bundle; see docs/architecture.md for the graphs' inputs and outputs."""

    path: Path
    spec: dict[str, Any]
    bev: BevSpec
    initial_mean: np.ndarray
    initial_variance: np.ndarray
    _sessions: dict[str, onnxruntime.InferenceSession] = field(repr=False)

    @staticmethod
    def load(path: str | Path, threads: int = 1) -> "Bundle":
        """Load a bundle folder; raises BundleError on a wrong schema, checksum or graph shape.

        `threads`: onnxruntime threads per graph call (one per node is the measured best beside other processes).
        """
        folder = Path(path).expanduser()
        spec = _read_spec(folder)
        _verify_checksums(folder, spec["files"])
        present = [*GRAPHS, *(graph for graph in OPTIONAL_GRAPHS if f"{graph}.onnx" in spec["files"])]
        if ("jump" in present) != ("macro" in spec):
            raise BundleError(
                f"{folder}: expected jump.onnx and its macro block in bundle.yaml together, got one without the other"
            )
        sessions = {graph: _open_graph(folder / f"{graph}.onnx", threads) for graph in present}
        bev = BevSpec(**{name: spec["bev"][name] for name in BevSpec.__dataclass_fields__})
        _verify_shapes(folder, spec, bev, sessions)
        latent = spec["sizes"]["latent"]
        initial = [np.asarray(spec["initial"][key], np.float32) for key in ("mean", "variance")]
        for key, values in zip(("mean", "variance"), initial, strict=True):
            if values.shape != (latent,) or not np.isfinite(values).all():
                raise BundleError(
                    f"{folder}/bundle.yaml: expected initial.{key} to be {latent} finite numbers, got {values.shape}"
                )
        return Bundle(folder, spec, bev, initial[0], initial[1], sessions)

    @property
    def id(self) -> str:
        return self.spec["id"]

    @property
    def family(self) -> str:
        return self.spec["family"]

    @property
    def step_duration(self) -> float:
        """[s] between model steps."""
        return float(self.spec["step_duration"])

    @property
    def action_scale(self) -> float:
        """[m] of end-effector displacement per step for an action of length 1."""
        return float(self.spec["action_scale"])

    @property
    def horizon(self) -> int:
        """Steps of one `rollout` call."""
        return self.spec["horizon"]

    @property
    def ensemble(self) -> int:
        return self.spec["ensemble"]

    @property
    def surprise_threshold(self) -> float:
        return float(self.spec["surprise_threshold"])

    @property
    def moving_error(self) -> float | None:
        """[m] mean error of one step on held-out data while the object moves; None where the bundle does not say."""
        errors = self.spec.get("metrics", {}).get("open_loop_moving_mm", {}).get("model", {})
        value = errors.get("1")
        return value / 1000 if value is not None and value > 0 else None  # NaN is not above 0

    @property
    def latent_size(self) -> int:
        return self.spec["sizes"]["latent"]

    @property
    def embedding_size(self) -> int:
        return self.spec["sizes"]["embedding"]

    @property
    def action_size(self) -> int:
        return self.spec["sizes"]["action"]

    @property
    def proprio_size(self) -> int:
        return self.spec["sizes"]["proprio"]

    @cached_property
    def unseen(self) -> np.ndarray:
        """Embedding (1, D) of an instant at which the object is not seen."""
        embedding = np.zeros((1, self.embedding_size), np.float32)
        embedding[0, VISIBILITY] = HIDDEN_LOGIT
        embedding.flags.writeable = False
        return embedding

    def has(self, graph: str) -> bool:
        """Whether the bundle brings a graph."""
        return graph in self._sessions

    def session(self, graph: str) -> onnxruntime.InferenceSession:
        """The onnxruntime session of one graph; raises BundleError for one that the bundle does not bring."""
        if graph not in self._sessions:
            raise BundleError(f"{self.path}: expected the graph {graph}, the bundle brings {', '.join(self._sessions)}")
        return self._sessions[graph]

    def run(self, graph: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run one graph on float32 arrays; returns its outputs by name."""
        session = self.session(graph)
        values = session.run(None, inputs)
        return {output.name: value for output, value in zip(session.get_outputs(), values, strict=True)}


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_spec(folder: Path) -> dict[str, Any]:
    file = folder / "bundle.yaml"
    if not file.is_file():
        raise BundleError(
            f"expected a model bundle with {file}, found none; give the folder of a bundle, e.g. bundles/default"
        )
    try:
        spec = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BundleError(f"{file}: expected YAML, got {error}") from error
    for fault in sorted(Draft202012Validator(SCHEMA).iter_errors(spec), key=lambda e: list(map(str, e.path))):
        where = ".".join(map(str, fault.path)) or "bundle.yaml"
        raise BundleError(f"{file}: {where}: {fault.message}; export the bundle again with this version of wm")
    return spec


def _verify_checksums(folder: Path, files: dict[str, str]) -> None:
    for name, expected in files.items():
        file = folder / name
        if not file.is_file():
            raise BundleError(f"{folder}: expected the file {name}, found none; copy the whole bundle again")
        found = sha256(file)
        if found != expected:
            raise BundleError(
                f"{file}: expected sha256 {expected[:12]}..., got {found[:12]}...; the file is corrupt, copy it again"
            )


def _open_graph(file: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # spinning starves the other nodes on two cores
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own undocumented types
        raise BundleError(f"{file}: expected an ONNX graph, onnxruntime says: {error}") from error


def _verify_shapes(
    folder: Path, spec: dict[str, Any], bev: BevSpec, sessions: dict[str, onnxruntime.InferenceSession]
) -> None:
    sizes = spec["sizes"]
    latent, embedding, action, proprio = (sizes[key] for key in ("latent", "embedding", "action", "proprio"))
    ensemble, horizon, readout = spec["ensemble"], spec["horizon"], len(READOUT)
    macro = spec.get("macro", {"steps": 1, "jumps": 1})
    expected: dict[str, tuple[dict[str, list[int | None]], dict[str, list[int | None]]]] = {
        "encode": ({"bev": [None, 5, bev.rows, bev.columns]}, {"embedding": [None, embedding]}),
        "filter": (
            {
                "mean": [1, latent],
                "variance": [1, latent],
                "action": [1, action],
                "embedding": [1, embedding],
                "proprio": [1, proprio],
            },
            {
                "posterior_mean": [1, latent],
                "posterior_variance": [1, latent],
                "predicted_object": [1, 2],
                "predicted_variance": [1, 2],
                "surprise": [1],
            },
        ),
        "rollout": (
            {"latent": [None, None, latent], "actions": [None, horizon, action]},
            {
                "readout": [ensemble, None, horizon, readout],
                "variance": [ensemble, None, horizon, 2],
                "final": [ensemble, None, latent],
            },
        ),
        "decode": ({"latent": [None, latent]}, {"image": [None, bev.rows, bev.columns, 3], "readout": [None, readout]}),
        "policy": ({"latent": [None, latent], "goal": [None, 2]}, {"action": [None, action]}),
        "intend": ({"latent": [None, latent], "goal": [None, 2]}, {"actions": [None, horizon, action]}),
        "value": ({"latent": [None, latent], "goal": [None, 2]}, {"value": [None]}),
        "jump": (
            {"latent": [None, None, latent], "actions": [None, macro["steps"] * macro["jumps"], action]},
            {
                "readout": [ensemble, None, macro["jumps"], readout],
                "variance": [ensemble, None, macro["jumps"], 2],
                "final": [ensemble, None, latent],
            },
        ),
    }
    for graph, session in sessions.items():
        inputs, outputs = expected[graph]
        for kind, wanted, found in (
            ("input", inputs, session.get_inputs()),
            ("output", outputs, session.get_outputs()),
        ):
            shapes = {node.name: list(node.shape) for node in found}
            for name, shape in wanted.items():
                if name not in shapes or not _fits(shape, shapes[name]):
                    got = shapes.get(name, f"only {sorted(shapes)}")
                    raise BundleError(
                        f"{folder}/{graph}.onnx: expected {kind} '{name}' of shape {shape}, got {got}; export the bundle again"
                    )


def _fits(wanted: list[int | None], found: list[Any]) -> bool:
    """Whether a graph's declared shape may be the wanted one (None and symbolic dimensions fit anything)."""
    return len(wanted) == len(found) and all(
        want is None or not isinstance(have, int) or want == have for want, have in zip(wanted, found, strict=True)
    )
