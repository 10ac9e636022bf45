"""Building blocks that several families share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_core.bundle import HIDDEN_LOGIT
from wm_core.specs import BevSpec
from wm_learning.families.base import (
    COMMANDED,
    FEATURES,
    LAG,
    LOG_VARIANCE,
    MEASURED,
    OBJECT,
    STATE,
    TOOL,
    VISIBILITY,
    VISIBLE,
)
from wm_perception import bev

PREDICTIVE_LOG_VARIANCE = (-16.0, -5.0)  # bounds of the log of a predictive variance [m^2]: 0.3 mm to 8 cm
UNSEEN_VARIANCE = 1.0  # [m^2] measurement variance of an invisible object
KNOWN_VARIANCE = 1e-8  # [m^2] of the tool, which the joints tell


class EnsembleLinear(nn.Module):
    """`members` independent linear layers on (members, n, inputs)."""

    def __init__(self, members: int, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, inputs, outputs) * gain * inputs**-0.5)
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul(x, self.weight) + self.bias


class EnsembleMLP(nn.Module):
    """`members` independent networks with two hidden layers."""

    def __init__(self, members: int, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.members = members
        self.input = EnsembleLinear(members, inputs, hidden, gain=1.4)
        self.hidden = EnsembleLinear(members, hidden, hidden, gain=1.4)
        self.output = EnsembleLinear(members, hidden, outputs, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(F.relu(self.hidden(F.relu(self.input(x)))))


class MapEncoder(nn.Module):
    """Bird's-eye-view map (b, 5, rows, columns) -> features (b, size)."""

    def __init__(self, spec: BevSpec, size: int, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 5
        for stage in range(4):
            out = width * 2 ** min(stage, 2)
            layers += [nn.Conv2d(channels, out, 4, stride=2, padding=1), nn.GroupNorm(4, out), nn.ReLU()]
            channels = out
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(channels * (spec.rows // 16) * (spec.columns // 16), size)

    def forward(self, bev: Tensor) -> Tensor:
        return self.head(self.trunk(bev))


def bounded_variance(logits: Tensor) -> Tensor:
    """Predictive variance [m^2] of a network's outputs for it."""
    low, high = PREDICTIVE_LOG_VARIANCE
    return torch.exp(low + (high - low) * torch.sigmoid(logits - 1.0))


def cell_centres(spec: BevSpec) -> Tensor:
    """Centres (rows, columns, 2) [m] of the cells of a map."""
    return torch.from_numpy(bev.cell_centres(spec))


def hide(embedding: Tensor, hidden: Tensor) -> Tensor:
    """Embeddings (b, D) in which the object is not seen where `hidden` (b,)."""
    logit = torch.where(hidden, HIDDEN_LOGIT, embedding[:, VISIBILITY])[:, None]
    return torch.cat([embedding[:, : VISIBLE.start], logit, embedding[:, FEATURES]], 1)


def latent_of(object_xy: Tensor, proprio: Tensor, state: Tensor) -> Tensor:
    """Latent (b, L) of object position (b, 2), measured and commanded tool position (b, 4) and the family's own state (b, S)."""
    tool, target = proprio[:, MEASURED], proprio[:, COMMANDED]
    return torch.cat([object_xy, tool, target - tool, state], -1)


def move_tool(latent: Tensor, action: Tensor, next_lag: Tensor, scale: Tensor) -> Tensor:
    """Tool position after an action: the commanded one is known exactly, so only the lag behind it is to be learned.

    `scale` (2,) [m]: of an action of ones.
    """
    return latent[..., TOOL] + latent[..., LAG] + scale * action - next_lag


def imagine(
    step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], latent: Tensor, actions: Tensor, members: int
) -> tuple[Tensor, Tensor]:
    """Repeat `step`: latent (members, n, L), action (n, 2) -> next latent, object variance (members, n, 2) of the step.

    latent (members or 1, n or 1, L), actions (n, H, 2) -> latents (members, n, H, L), accumulated variance (members, n, H, 2).
    """
    # Adding zeros broadcasts a shared start latent over members and candidates, in the exported graph as well.
    zeros = torch.zeros(members, 1, 1, device=actions.device) * actions[None, :, 0, :1]
    latent, latents, variances = latent + zeros, [], []
    for index in range(actions.shape[1]):
        latent, variance = step(latent, actions[:, index])
        latents.append(latent)
        variances.append(variance)
    return torch.stack(latents, 2), torch.cumsum(torch.stack(variances, 2), 2)


class BeliefUpdate(nn.Module):
    """Kalman filter (Kalman 1960) with diagonal covariance around predictions and measurements that are learned.

    The measurement noise of the object is the encoder's own variance, its process noise the model's predictive variance plus
    its disagreement; noises of the family's own state are learned per number. What is unseen keeps its prediction.
    """

    def __init__(self, state: int) -> None:
        super().__init__()
        # Encoder errors repeat from frame to frame: never trust one fully.
        self.log_floor = nn.Parameter(torch.tensor(-14.0))
        self.log_process = nn.Parameter(torch.full((state,), -5.0))
        self.log_measurement = nn.Parameter(torch.full((state,), -3.0))

    def forward(
        self, latents: Tensor, predictive: Tensor, variance: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Fuse the predictions of all members with one embedding.

        latents (members, b, L), predictive (members, b, 2), variance (b, L) before the step, embedding (b, D), proprio (b, 4)
        -> mean, variance (b, L), predicted object (b, 2), its variance (b, 2), surprise (b,): the normalised squared error.
        """
        predicted = latents.mean(0)
        spread = ((latents[..., OBJECT] - predicted[..., OBJECT]) ** 2).mean(0)
        prior = variance[:, OBJECT] + predictive.mean(0) + spread
        visible = torch.sigmoid(embedding[:, VISIBLE])
        seen_variance = torch.exp(embedding[:, LOG_VARIANCE])
        noise = seen_variance + torch.exp(self.log_floor) + UNSEEN_VARIANCE * (1 - visible) ** 4
        innovation = embedding[:, OBJECT] - predicted[:, OBJECT]
        gain = prior / (prior + noise)
        surprise = 0.5 * visible[:, 0] * (innovation**2 / (prior + noise)).sum(-1)

        state_prior = variance[:, STATE] + torch.exp(self.log_process)
        doubt = 10.0 * (1 - visible) ** 2 + 10.0 * seen_variance.sum(-1, keepdim=True)
        state_gain = state_prior / (state_prior + torch.exp(self.log_measurement) + doubt)
        state = predicted[:, STATE] + state_gain * (embedding[:, FEATURES] - predicted[:, STATE])

        known = torch.full_like(proprio, KNOWN_VARIANCE)
        return (
            latent_of(predicted[:, OBJECT] + gain * innovation, proprio, state),
            torch.cat([(1 - gain) * prior, known, (1 - state_gain) * state_prior], -1),
            predicted[:, OBJECT],
            prior,
            surprise,
        )
