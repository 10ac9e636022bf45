"""Building blocks that several families share."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_core.bundle import BevSpec

LOG_VARIANCE = (-16.0, -5.0)  # bounds of the log of a predictive variance [m^2]: 0.3 mm to 8 cm
UNSEEN_VARIANCE = 1.0  # [m^2] measurement variance of an invisible object


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
    low, high = LOG_VARIANCE
    return torch.exp(low + (high - low) * torch.sigmoid(logits - 1.0))


def fuse_object(
    predicted: Tensor, prior: Tensor, measured: Tensor, noise: Tensor, visible: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Diagonal Kalman update (Kalman 1960) of the object's position.

    predicted, measured (b, 2) [m]; prior, noise (b, 2) [m^2]; visible (b, 1) in 0..1; an unseen object keeps its prediction
    -> position, variance (b, 2), normalised squared error (b,).
    """
    noise = noise + UNSEEN_VARIANCE * (1 - visible) ** 4
    innovation = measured - predicted
    gain = prior / (prior + noise)
    surprise = 0.5 * visible[:, 0] * (innovation**2 / (prior + noise)).sum(-1)
    return predicted + gain * innovation, (1 - gain) * prior, surprise


class KalmanState(nn.Module):
    """Diagonal Kalman filter of a family's own state; process and measurement noise are learned per number."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_process = nn.Parameter(torch.full((size,), -5.0))
        self.log_measurement = nn.Parameter(torch.full((size,), -3.0))

    def forward(self, predicted: Tensor, variance: Tensor, measured: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """predicted, variance, measured (b, S), visible (b, 1) -> mean and variance (b, S); what is unseen keeps its prediction."""
        prior = variance + torch.exp(self.log_process)
        gain = prior / (prior + torch.exp(self.log_measurement) + 10.0 * (1 - visible) ** 2)
        return predicted + gain * (measured - predicted), (1 - gain) * prior
