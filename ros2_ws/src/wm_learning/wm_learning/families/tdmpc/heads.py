"""What a latent is worth to reach a goal: reward, critics and the policy that they judge.

Hansen, Su and Wang 2024, "TD-MPC2: scalable, robust world models for continuous control": returns are learned as distributions
over bins of their symmetric logarithm, and a target takes the smaller of two critics.
"""

import torch
from torch import Tensor, nn

from wm_learning.families.base import PLACE
from wm_learning.families.goals import policy_network, situation, to_unit_disk
from wm_learning.families.parts import EnsembleMLP
from wm_learning.families.returns import BINS, expected


class Heads(nn.Module):
    """Reward, critics with their slow copies, and policy; latents (n, L), actions (n, 2), goals (n, 2)."""

    def __init__(self, state: int, hidden: int, critics: int) -> None:
        super().__init__()
        size = PLACE.stop + state
        self.reward_net = EnsembleMLP(1, size + 2, hidden, BINS)
        self.critics = EnsembleMLP(critics, size + 2, hidden, BINS)
        self.slow = EnsembleMLP(critics, size + 2, hidden, BINS).requires_grad_(False)
        self.slow.load_state_dict(self.critics.state_dict())
        self.policy_net = policy_network(state, hidden)

    def reward(self, latent: Tensor, action: Tensor, goal: Tensor) -> Tensor:
        """Logits (n, BINS)."""
        return self.reward_net(_with(situation(latent, goal), action, 1))[0]

    def values(self, latent: Tensor, action: Tensor, goal: Tensor, slow: bool = False) -> Tensor:
        """Logits (critics, n, BINS) of the discounted return."""
        critics = self.slow if slow else self.critics
        return critics(_with(situation(latent, goal), action, critics.members))

    def act(self, latent: Tensor, goal: Tensor) -> Tensor:
        """Actions (n, 2) in the unit disk."""
        return to_unit_disk(self.policy_net(situation(latent, goal)))

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
