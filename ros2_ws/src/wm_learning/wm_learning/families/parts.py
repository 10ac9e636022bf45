"""Building blocks that several families share."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from wm_core.bundle import BevSpec

RELATIVE = 0.25  # [m] scale of positions on the table


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
