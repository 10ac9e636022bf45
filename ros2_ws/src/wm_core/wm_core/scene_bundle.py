"""Bundles of the family `scene`: a folder with `bundle.yaml` and two ONNX graphs, `rollout` and `step`. Data only.

Both graphs imagine states of K objects under displacements of the tool, `rollout` through the horizon, `step` through one step:

| input | shape | |
|---|---|---|
| `state` | (e, 13, K, m) | position [m], quaternion x y z w, velocity [m/s, rad/s] of each object |
| `moves` | (H, E, 6, M) | displacements of the tool in each step: x, y, z [m], yaw, pitch [rad], opening [m] |
| `tool`, `before` | (e, 6, m) | tool state before the first step; displacement in the step before that |
| `outline`, `height` | (1, 1, K, P, 2), (1, 1, K) | around each object's footprint in its frame [m]; how high it is [m] |
| `code` | (1, m, K, 2) | logarithms of friction and mass over the usual ones; 0: not known |
| `table` | (1, 1, 4) | lower and upper corner of the table's top [m] |
| `pairs` | (2, R) int64 | slots of objects that may move each other: the moved one, the mover; at least one, (0, 0) stands for none |

E members each have M candidates of their own; e in {1, E} and m in {1, M} broadcast. Outputs: `states` (H, E, 13, K, M), `variances`
(H, E, 2, K, M) of position [m^2] and rotation [rad^2], `contacts` (H, E, K, M) probabilities that the tool touches.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from wm_core.bundle import BundleError, open_graph, outputs_of, verify_checksums
from wm_core.checked_yaml import faults, load_yaml
from wm_core.hand import Hand

FAMILY = "scene"
SCHEMA_VERSION = 2
GRAPHS = ("rollout", "step")
PARTS = "parts.onnx"  # in bundles that can tell objects that touch from each other: see wm_perception.scene.parts
SAME = 0.006  # [m] by which sizes of two hands may differ
# What a model of scenes says of an object that no box of the hand is as near to [m], that does not move and that nothing pushes: it
# stays, with this logarithm of variances [m^2, rad^2] in a step.
NEAR, STILL = 0.03, -11.0

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_COUNT = {"type": "integer", "minimum": 1}


def _numbers(count: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "id", "family", "step_duration", "horizon", "ensemble", "hand", "limit", "usual", "files"],
    "properties": {
        "schema": {"const": SCHEMA_VERSION},
        "id": {"type": "string", "minLength": 1},
        "family": {"const": FAMILY},
        "step_duration": _POSITIVE,
        "horizon": _COUNT,
        "ensemble": _COUNT,
        "hand": {
            "type": "object",
            "required": ["finger", "finger_z", "palm", "palm_position", "opening"],
            "additionalProperties": False,
            "properties": {
                "finger": _numbers(3),
                "finger_z": {"type": "number"},
                "palm": _numbers(3),
                "palm_position": _numbers(3),
                "opening": _numbers(2),
            },
        },
        "limit": _numbers(6),
        "usual": {
            "type": "object",
            "required": ["friction", "mass"],
            "properties": {"friction": _POSITIVE, "mass": _POSITIVE},
        },
        "intervals": {"type": "array", "items": _numbers(2), "minItems": 1},
        "files": {"type": "object", "required": [f"{graph}.onnx" for graph in GRAPHS]},
    },
}


@dataclass(frozen=True)
class SceneBundle:
    """A loaded and verified bundle of scenes."""

    path: Path
    spec: dict[str, Any]
    hand: Hand  # that it learned with
    limit: np.ndarray  # (6,) largest displacement of the tool in a step
    intervals: (
        np.ndarray
    )  # (H, 2) by what deviations of position and rotation are to be multiplied, so that they are honest
    _sessions: Mapping[str, onnxruntime.InferenceSession] = field(repr=False)

    @staticmethod
    def load(path: str | Path, threads: int = 1) -> "SceneBundle":
        """Load a folder; raises BundleError on a wrong schema or checksum."""
        folder = Path(path).expanduser()
        spec = _spec_of(folder)
        verify_checksums(folder, spec["files"])
        hand = spec["hand"]
        horizon = spec["horizon"]
        return SceneBundle(
            folder,
            spec,
            Hand(
                np.array(hand["finger"]),
                hand["finger_z"],
                np.array(hand["palm"]),
                np.array(hand["palm_position"]),
                tuple(hand["opening"]),
            ),
            np.array(spec["limit"], float),
            np.array(spec.get("intervals", [[1.0, 1.0]] * horizon), float),
            {graph: open_graph(folder / f"{graph}.onnx", threads) for graph in GRAPHS},
        )

    @property
    def id(self) -> str:
        return self.spec["id"]

    @property
    def step_duration(self) -> float:
        """[s]"""
        return float(self.spec["step_duration"])

    @property
    def horizon(self) -> int:
        """Steps of a call of `rollout`."""
        return self.spec["horizon"]

    @property
    def ensemble(self) -> int:
        return self.spec["ensemble"]

    def check_hand(self, hand: Hand) -> None:
        """Raises BundleError for a hand whose fingers are unlike those that the bundle learned with."""
        off = np.abs(np.concatenate([hand.finger - self.hand.finger, [hand.finger_z - self.hand.finger_z]]))
        if off.max() > SAME:
            raise BundleError(
                f"{self.path}: expected fingers of {np.round(self.hand.finger, 3).tolist()} m, the robot's are"
                f" {np.round(hand.finger, 3).tolist()} m; train a bundle with this robot: ./wm collect --states --robot ..."
            )

    def run(self, graph: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run one graph; returns its outputs by name."""
        return outputs_of(self._sessions[graph], inputs)


def bundle_facts(folder: Path) -> tuple[str, float]:
    """Id and duration of a step [s] of a bundle of scenes, without loading its graphs; raises BundleError."""
    spec = _spec_of(folder)
    return str(spec["id"]), float(spec["step_duration"])


def open_parts(folder: Path, threads: int = 1) -> onnxruntime.InferenceSession | None:
    """The graph that takes touching objects apart, without loading the others; None: the bundle has none. Raises BundleError."""
    files = _spec_of(folder)["files"]
    if PARTS not in files:
        return None
    verify_checksums(folder, {PARTS: files[PARTS]})
    return open_graph(folder / PARTS, threads)


def _spec_of(folder: Path) -> dict[str, Any]:
    file = folder / "bundle.yaml"
    if not file.is_file():
        raise BundleError(f"expected a model bundle with {file}, found none; give the folder of a bundle")
    spec = load_yaml(file, BundleError)
    if isinstance(spec, dict) and spec.get("family") != FAMILY:
        raise BundleError(f"{file}: expected a bundle of the family {FAMILY}, got {spec.get('family')!r}")
    for name, message in faults(SCHEMA, spec):
        raise BundleError(f"{file}: {name or 'bundle.yaml'}: {message}; export the bundle again")
    return spec


def hand_to_dict(hand: Hand) -> dict[str, Any]:
    """As in bundle.yaml."""
    return {
        "finger": hand.finger.tolist(),
        "finger_z": hand.finger_z,
        "palm": hand.palm.tolist(),
        "palm_position": hand.palm_position.tolist(),
        "opening": list(hand.opening),
    }
