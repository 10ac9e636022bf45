"""Layers of an ensemble."""

import math

import torch
from torch import Tensor, nn


class EnsembleLinear(nn.Module):
    """One linear layer for each member: (E, inputs, n) -> (E, outputs, n)."""

    def __init__(self, members: int, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        bound = gain * math.sqrt(3 / inputs)
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, self.weight, x)
