"""The policy, what judges it, and the graphs that a bundle brings of it."""

import torch
from torch import Tensor, nn

from wm_learning.families.base import PLACE
from wm_learning.families.goals import policy_network, situation, to_unit_disk
from wm_learning.families.parts import EnsembleMLP
from wm_learning.families.returns import BINS, expected

CRITICS = 2


class ActorCritic(nn.Module):
    """A policy and critics of it with their slow copies; latents (n, L), goals (n, 2) [m]."""

    def __init__(self, state: int, hidden: int) -> None:
        """`state`: numbers of the family's own state in a latent."""
        super().__init__()
        self.actor = policy_network(state, hidden)
        self.critics = EnsembleMLP(CRITICS, PLACE.stop + state, hidden, BINS)
        self.slow = EnsembleMLP(CRITICS, PLACE.stop + state, hidden, BINS).requires_grad_(False)
        self.slow.load_state_dict(self.critics.state_dict())

    def act(self, latent: Tensor, goal: Tensor) -> Tensor:
        """Actions (n, 2) in the unit disk."""
        return to_unit_disk(self.actor(situation(latent, goal)))

    def judge(self, latent: Tensor, goal: Tensor) -> Tensor:
        """Logits (critics, n, BINS) of the return."""
        return self.critics(situation(latent, goal).expand(CRITICS, -1, -1))

    def worth(self, latent: Tensor, goal: Tensor) -> Tensor:
        """Returns (n,): the smaller of the slow critics' two."""
        return expected(self.slow(situation(latent, goal).expand(CRITICS, -1, -1))).amin(0)

    @torch.no_grad()
    def follow(self, share: float) -> None:
        """Move the slow critics by a share towards the critics."""
        for slow, critic in zip(self.slow.parameters(), self.critics.parameters(), strict=True):
            slow.lerp_(critic, share)


class Act(nn.Module):
    """Graph `policy`: what is seen of latent and goal is linear in them, so it is folded into the first layer."""

    def __init__(self, nets: ActorCritic) -> None:
        super().__init__()
        first: nn.Linear = nets.actor[0]  # type: ignore[assignment]
        unit = torch.eye(first.in_features + 2)  # a situation has as many numbers as a latent
        with torch.no_grad():
            self.first = nn.Linear(len(unit), first.out_features)
            self.first.weight.copy_(first.weight @ situation(unit[:, :-2], unit[:, -2:]).T)
            self.first.bias.copy_(first.bias)
        self.rest = nets.actor[1:]

    def forward(self, latent: Tensor, goal: Tensor) -> Tensor:
        return to_unit_disk(self.rest(self.first(torch.cat([latent, goal], -1))))


class CostToGo(nn.Module):
    """Graph `value`: what reaching the goal will still cost under the policy, by the mean critic."""

    def __init__(self, nets: ActorCritic) -> None:
        super().__init__()
        self.nets = nets

    def forward(self, latent: Tensor, goal: Tensor) -> Tensor:
        return -expected(self.nets.judge(latent, goal)).mean(0)


class Intend(nn.Module):
    """Graph `intend`: the actions (b, H, 2) that a policy would take in the model's imagination, by the mean of its members."""

    def __init__(self, policy: nn.Module, rollout: nn.Module, horizon: int) -> None:
        """`policy`, `rollout`: the modules of the graphs of these names."""
        super().__init__()
        self.policy = policy
        self.rollout = rollout
        self.horizon = horizon

    def forward(self, latent: Tensor, goal: Tensor) -> Tensor:
        actions = []
        for _ in range(self.horizon):
            actions.append(self.policy(latent, goal))
            latent = self.rollout(latent[None], actions[-1][:, None])[2].mean(0)
        return torch.stack(actions, 1)
