"""Export of a scene network as a bundle: two ONNX graphs, the weights and bundle.yaml, written completely or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from wm_core.atomic import new_folder
from wm_core.bundle import sha256
from wm_core.hand import Hand
from wm_core.object_state import STATE
from wm_core.scene_bundle import FAMILY, SCHEMA_VERSION, SceneBundle, hand_to_dict
from wm_core.solid import POINTS
from wm_learning.families.scene.config import SceneConfig
from wm_learning.families.scene.network import CODE, SceneNetwork
from wm_learning.families.scene.training import USUAL_FRICTION, USUAL_MASS
from wm_sim.scene_task import LIMIT, PERIOD

WEIGHTS = "weights.safetensors"
INPUTS = ("state", "moves", "tool", "before", "outline", "height", "code", "table", "pairs")
OUTPUTS = ("states", "variances", "contacts")
AXES: dict[str, dict[int, str]] = {
    "state": {0: "e", 2: "K", 3: "m"},
    "moves": {3: "M"},
    "tool": {0: "e_tool", 2: "m_tool"},
    "before": {0: "e_before", 2: "m_before"},
    "outline": {2: "K"},
    "height": {2: "K"},
    "code": {1: "m_code", 2: "K"},
    "pairs": {1: "R"},
    "states": {3: "K", 4: "M"},
    "variances": {3: "K", 4: "M"},
    "contacts": {2: "K", 3: "M"},
}


class _Graph(nn.Module):
    """What is exported: members' and candidates' axes broadcast, variances and probabilities instead of logarithms."""

    def __init__(self, network: SceneNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(
        self, state: Tensor, moves: Tensor, tool: Tensor, before: Tensor, *facts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        every = torch.zeros_like(moves[0, :, :1])  # (E, 1, M)
        states, variances, contacts = self._network(
            state + every.unsqueeze(2), moves, tool + every, before + every, *facts
        )
        return states, variances.exp(), contacts.sigmoid()


def export_scene_bundle(
    network: SceneNetwork,
    hand: Hand,
    folder: Path,
    bundle_id: str,
    *,
    intervals: np.ndarray,
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Path:
    """Write the bundle to `folder`, replacing an older one in one rename, and load it back as a check. `intervals` (H, 2)."""
    network = network.eval().cpu()
    with new_folder(Path(folder)) as work:
        for name, steps in (("rollout", network.config.horizon), ("step", 1)):
            torch.onnx.export(
                _Graph(network),
                _example(network.config.members, steps),
                str(work / f"{name}.onnx"),
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_axes=AXES,
                opset_version=18,
                dynamo=False,
            )
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, work / WEIGHTS)
        files = {file.name: sha256(file) for file in sorted(work.iterdir()) if file.suffix in (".onnx", ".safetensors")}
        spec = {
            "schema": SCHEMA_VERSION,
            "id": bundle_id,
            "family": FAMILY,
            "step_duration": PERIOD,
            "horizon": network.config.horizon,
            "ensemble": network.config.members,
            "hand": hand_to_dict(hand),
            "limit": LIMIT.tolist(),
            "usual": {"friction": USUAL_FRICTION, "mass": USUAL_MASS},
            "intervals": np.round(intervals, 3).tolist(),
            "data": dict(data),
            "metrics": dict(metrics),
            "files": files,
        }
        (work / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        SceneBundle.load(work)
    return Path(folder)


def export_again(folder: Path, bundle_id: str) -> None:
    """Write the graphs of a bundle anew from its weights, in place: after a change of how the network is written down."""
    bundle = SceneBundle.load(folder)
    spec = bundle.spec
    export_scene_bundle(
        network_of(bundle),
        bundle.hand,
        folder,
        bundle_id,
        intervals=bundle.intervals,
        data=spec.get("data", {}),
        metrics=spec.get("metrics", {}),
    )


def network_of(bundle: SceneBundle) -> SceneNetwork:
    """The network that a bundle was exported from, with its weights; raises ValueError."""
    hidden, messages = _sizes(bundle.path / WEIGHTS)
    config = SceneConfig(members=bundle.ensemble, hidden=hidden, messages=messages, horizon=bundle.horizon)
    network = SceneNetwork(config, bundle.hand).eval()
    load_weights(network, bundle.path)
    return network


def _sizes(weights: Path) -> tuple[int, int]:
    """Hidden sizes, of objects and of messages, of the network that a file of weights is of; raises ValueError."""
    try:
        with safe_open(weights, "pt") as file:
            hidden, messages = (file.get_slice(layer).get_shape()[1] for layer in ("first.bias", "sent.bias"))
            return hidden, messages
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{weights}: expected the weights of a scene network, got {error}") from error


def load_weights(network: SceneNetwork, bundle: Path) -> None:
    """Those of a bundle, into a network of the same configuration; raises ValueError."""
    try:
        network.load_state_dict(load_file(bundle / WEIGHTS))
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{bundle / WEIGHTS}: expected the weights of such a network, got {error}") from error


def _example(members: int, steps: int) -> tuple[Tensor, ...]:
    slots, candidates = 3, 4
    state = torch.zeros(1, STATE, slots, 1)
    state[:, 6] = 1.0
    state[:, 0] = 0.4 + 0.05 * torch.arange(slots).view(1, slots, 1)
    angles = 2 * torch.pi * torch.arange(POINTS) / POINTS
    outline = (0.03 * torch.stack([angles.cos(), angles.sin()], -1)).expand(1, 1, slots, POINTS, 2)
    return (
        state,
        torch.zeros(steps, members, 6, candidates),
        torch.zeros(1, 6, 1),
        torch.zeros(1, 6, 1),
        outline.contiguous(),
        torch.full((1, 1, slots), 0.05),
        torch.zeros(1, 1, slots, CODE),
        torch.tensor([[[0.0, -1.0, 1.0, 1.0]]]),
        torch.tensor([[0, 1], [1, 0]]),
    )
