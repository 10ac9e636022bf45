"""What a latent is worth to reach a goal: reward, critics and the policy that they judge.

Hansen, Su and Wang 2024, "TD-MPC2: scalable, robust world models for continuous control": returns are learned as distributions
over bins of their symmetric logarithm, and a target takes the smaller of two critics.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_learning.families.base import LAG, OBJECT, STATE, TOOL
from wm_learning.families.parts import EnsembleMLP

BINS = 41
SYMLOG_RANGE = (-6.0, 1.0)  # of rewards and returns: -400 to 1.7
DISTANCE = 0.1  # [m] unit of positions as inputs
LAG_SCALE = 0.03  # [m]


def symlog(x: Tensor) -> Tensor:
    return torch.sign(x) * torch.log1p(torch.abs(x))


def symexp(x: Tensor) -> Tensor:
    return torch.sign(x) * (torch.exp(torch.abs(x)) - 1)


def two_hot(values: Tensor) -> Tensor:
    """Values (...,) -> weights (..., BINS) of the two bins around their symmetric logarithm (Hafner et al. 2023)."""
    low, high = SYMLOG_RANGE
    place = ((symlog(values) - low) / (high - low) * (BINS - 1)).clamp(0, BINS - 1)
    below = place.floor().clamp(max=BINS - 2)
    share = (place - below)[..., None]
    index = below.long()
    return (1 - share) * F.one_hot(index, BINS) + share * F.one_hot(index + 1, BINS)


def expected(logits: Tensor) -> Tensor:
    """Values (...,) of logits (..., BINS)."""
    low, high = SYMLOG_RANGE
    bins = torch.linspace(low, high, BINS, device=logits.device)
    return symexp((F.softmax(logits, -1) * bins).sum(-1))


def bin_loss(logits: Tensor, values: Tensor) -> Tensor:
    """Cross entropy (...,) of logits (..., BINS) against values (...,)."""
    return -(two_hot(values) * F.log_softmax(logits, -1)).sum(-1)


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


class Heads(nn.Module):
    """Reward, critics with their slow copies, and policy; latents (n, L), actions (n, 2), goals (n, 2)."""

    def __init__(self, state: int, hidden: int, critics: int) -> None:
        super().__init__()
        size = 6 + state
        self.reward_net = EnsembleMLP(1, size + 2, hidden, BINS)
        self.critics = EnsembleMLP(critics, size + 2, hidden, BINS)
        self.slow = EnsembleMLP(critics, size + 2, hidden, BINS).requires_grad_(False)
        self.slow.load_state_dict(self.critics.state_dict())
        self.policy_net = nn.Sequential(
            nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)
        )

    def reward(self, latent: Tensor, action: Tensor, goal: Tensor) -> Tensor:
        """Logits (n, BINS)."""
        return self.reward_net(_with(situation(latent, goal), action, 1))[0]

    def values(self, latent: Tensor, action: Tensor, goal: Tensor, slow: bool = False) -> Tensor:
        """Logits (critics, n, BINS) of the discounted return."""
        critics = self.slow if slow else self.critics
        return critics(_with(situation(latent, goal), action, critics.members))

    def act(self, latent: Tensor, goal: Tensor) -> Tensor:
        """Actions (n, 2) in the unit disk."""
        wish = self.policy_net(situation(latent, goal))
        length = torch.sqrt((wish**2).sum(-1, keepdim=True) + 1e-8)
        return wish * torch.tanh(length) / length

    @torch.no_grad()
    def follow(self, share: float) -> None:
        """Move the slow critics by a share towards the critics."""
        for slow, critic in zip(self.slow.parameters(), self.critics.parameters(), strict=True):
            slow.lerp_(critic, share)


class Policy(nn.Module):
    """Graph `policy`."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, latent: Tensor, goal: Tensor) -> Tensor:
        return self.heads.act(latent, goal)


class CostToGo(nn.Module):
    """Graph `value`: what reaching the goal will still cost under the policy, by the mean critic."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, latent: Tensor, goal: Tensor) -> Tensor:
        return -expected(self.heads.values(latent, self.heads.act(latent, goal), goal)).mean(0)


def _with(situations: Tensor, action: Tensor, members: int) -> Tensor:
    return torch.cat([situations, action], -1).expand(members, -1, -1)
