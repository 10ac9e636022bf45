"""Model bundles: a folder with `bundle.yaml` and ONNX graphs. Data only: nothing in it is executed on load."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from wm_core.bundle_schema import SCHEMA, SCHEMA_VERSION
from wm_core.checked_yaml import faults, load_yaml
from wm_core.graph_specs import BY_NAME, OPTIONAL, REQUIRED, sizes_of
from wm_core.layout import Layout
from wm_core.specs import ActionSpec, BevSpec, ObservationSpec, SpecError, StateSpec

HIDDEN_LOGIT = -20.0  # visibility of an object that is certainly not seen


class BundleError(ValueError):
    """A bundle that cannot be used: says what was expected, what came and what to do."""


@dataclass(frozen=True)
class Bundle:
    """A loaded and verified model bundle; see docs/architecture.md for the graphs' inputs and outputs."""

    path: Path
    spec: dict[str, Any]
    state: StateSpec  # what is estimated, and how the arrays are laid out
    action: ActionSpec
    observation: ObservationSpec
    sizes: dict[str, int]  # by the names of wm_core.graph_specs
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
        try:
            state, action = StateSpec.from_dict(spec["state"]), ActionSpec.from_dict(spec["action"])
            observation = ObservationSpec.from_dict(spec["observation"])
        except SpecError as error:
            raise BundleError(f"{folder}/bundle.yaml: {error}; export the bundle again") from error
        verify_checksums(folder, spec["files"])
        present = [*REQUIRED, *(graph for graph in OPTIONAL if f"{graph}.onnx" in spec["files"])]
        if ("jump" in present) != ("macro" in spec):
            raise BundleError(
                f"{folder}: expected jump.onnx and its macro block in bundle.yaml together, got one without the other"
            )
        sessions = {graph: open_graph(folder / f"{graph}.onnx", threads) for graph in present}
        macro = spec.get("macro", {"jumps": None, "steps": 1})
        sizes = sizes_of(
            state,
            action,
            observation,
            ensemble=spec["ensemble"],
            horizon=spec["horizon"],
            jumps=macro["jumps"],
            jump_steps=macro["steps"],
        )
        _verify_shapes(folder, sizes, sessions)
        initial = [np.asarray(spec["initial"][key], np.float32) for key in ("mean", "variance")]
        for key, values in zip(("mean", "variance"), initial, strict=True):
            if values.shape != (state.latent.size,) or not np.isfinite(values).all():
                raise BundleError(
                    f"{folder}/bundle.yaml: expected initial.{key} to be {state.latent.size} finite numbers, got {values.shape}"
                )
        return Bundle(folder, spec, state, action, observation, sizes, initial[0], initial[1], sessions)

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
    def bev(self) -> BevSpec:
        """The map that the encoder wants; raises BundleError for a bundle without one."""
        if self.observation.map is None:
            raise BundleError(f"{self.path}: expected a bundle whose encoder wants a map, got one without")
        return self.observation.map

    @property
    def readout(self) -> Layout:
        """Of readouts (..., R)."""
        return self.state.readout

    @cached_property
    def embedding(self) -> Layout:
        """Of embeddings (..., D)."""
        return self.state.embedding(self.observation.features)

    @property
    def latent_size(self) -> int:
        return self.state.latent.size

    @property
    def embedding_size(self) -> int:
        return self.embedding.size

    @property
    def action_size(self) -> int:
        return self.action.size

    @cached_property
    def unseen(self) -> np.ndarray:
        """Embedding (1, D) of an instant at which no object is seen."""
        embedding = np.zeros((1, self.embedding_size), np.float32)
        embedding[:, self.embedding.slice("visibility")] = HIDDEN_LOGIT
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
        return outputs_of(self.session(graph), inputs)


def outputs_of(session: onnxruntime.InferenceSession, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of one call of a graph, by name."""
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
    spec = load_yaml(file, BundleError)
    found = spec.get("schema") if isinstance(spec, dict) else None
    if found == 1:
        raise BundleError(f"{file}: expected schema {SCHEMA_VERSION}, got 1; convert it: ./wm bundles convert {folder}")
    if isinstance(spec, dict) and spec.get("family") == "scene":
        raise BundleError(f"{file}: expected a bundle that the nodes run, got one of scenes: see docs/scenes.md")
    for field_name, message in faults(SCHEMA, spec):
        raise BundleError(
            f"{file}: {field_name or 'bundle.yaml'}: {message}; export the bundle again with this version of wm"
        )
    return spec


def verify_checksums(folder: Path, files: dict[str, str]) -> None:
    """Raises BundleError for a file that is missing or not the one that was exported."""
    for name, expected in files.items():
        file = folder / name
        if not file.is_file():
            raise BundleError(f"{folder}: expected the file {name}, found none; copy the whole bundle again")
        found = sha256(file)
        if found != expected:
            raise BundleError(
                f"{file}: expected sha256 {expected[:12]}..., got {found[:12]}...; the file is corrupt, copy it again"
            )


def open_graph(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session of `threads` threads; raises BundleError for a file that is no graph."""
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


def _verify_shapes(folder: Path, sizes: dict[str, int], sessions: dict[str, onnxruntime.InferenceSession]) -> None:
    for name, session in sessions.items():
        inputs, outputs = (
            {node.name: node.shape for node in nodes} for nodes in (session.get_inputs(), session.get_outputs())
        )
        for fault in BY_NAME[name].faults(sizes, inputs, outputs):
            raise BundleError(f"{folder}/{name}.onnx: {fault}; export the bundle again")
