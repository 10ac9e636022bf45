"""What policies and critics see of a latent and a goal, and what policies answer."""

import torch
from torch import Tensor, nn

from wm_learning.families.base import LAG, OBJECT, PLACE, PLANE, STATE, TOOL

DISTANCE = 0.1  # [m] unit of positions as inputs
LAG_SCALE = 0.03  # [m]


def situation(latent: Tensor, goal: Tensor) -> Tensor:
    """What decides about worth (..., 6 + S): latent (..., L), goal (..., 2) [m]; nothing of it depends on where on the table it is."""
    return torch.cat(
        [
            (latent[..., OBJECT] - goal) / DISTANCE,
            (latent[..., TOOL] - latent[..., OBJECT]) / DISTANCE,
            latent[..., LAG] / LAG_SCALE,
            latent[..., STATE],
        ],
        -1,
    )


def policy_network(state: int, hidden: int) -> nn.Sequential:
    """Wishes (n, 2) from situations (n, 6 + state)."""
    return nn.Sequential(
        nn.Linear(PLACE.stop + state, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, PLANE)
    )


def to_unit_disk(wish: Tensor) -> Tensor:
    """Wishes (..., 2) -> actions (..., 2) in the unit disk, in the same direction."""
    length = torch.sqrt((wish**2).sum(-1, keepdim=True) + 1e-8)
    return wish * torch.tanh(length) / length
