"""What planned futures cost: a cost that is given, for tasks with goals, or rewards and values that are learned."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wm_learning.families.goals import to_unit_disk
from wm_learning.families.parts import EnsembleMLP
from wm_learning.families.returns import BINS, bin_loss, expected
from wm_learning.online.model import StateModel, descend
from wm_learning.online.replay import Replay
from wm_learning.online.settings import Values

# Costs (...,) of being in states (..., S) with a goal (G,).
StateCost = Callable[[Tensor, Tensor], Tensor]


class Objective(ABC):
    @abstractmethod
    def costs(self, states: Tensor, actions: Tensor, goal: Tensor) -> Tensor:
        """Costs (members, n) of imagined states (members, n, H + 1, S) under actions (n, H, A), with a goal (G,)."""

    def propose(self, state: Tensor, horizon: int) -> Tensor | None:
        """Actions (horizon, A) to search from, where the objective knows some; state (S,)."""
        return None

    def learn(self, replay: Replay, rng: np.random.Generator) -> dict[str, float]:
        """One training step; what it reports."""
        return {}

    def parts(self) -> dict[str, Any]:
        """Networks and optimisers that training changes."""
        return {}


class GoalObjective(Objective):
    """The mean of a given cost over the imagined states, and that of the last one once more."""

    def __init__(self, cost: StateCost) -> None:
        self.cost = cost

    def costs(self, states: Tensor, actions: Tensor, goal: Tensor) -> Tensor:
        each = self.cost(states[:, :, 1:], goal)
        return each.mean(-1) + each[..., -1]


def goal_distance(states: Tensor, goal: Tensor) -> Tensor:
    """Distance (...,) of the achieved goal, the last numbers of states (..., S), to the goal (G,)."""
    return torch.linalg.vector_norm(states[..., -len(goal) :] - goal, dim=-1)


class ValueObjective(Objective):
    """Learned rewards up to the horizon and a learned value there, as in TD-MPC2 (Hansen et al. 2024), on the state itself.

    Returns are learned as distributions over bins, a target takes the smallest of the slow critics, and the policy climbs
    their mean. Rewards are counted from their ceiling down, so that all returns are negative, as the bins expect.
    """

    def __init__(self, model: StateModel, actions: int, ceiling: float, settings: Values) -> None:
        """`ceiling`: the largest reward of an action."""
        self.model = model
        self.settings = settings
        self.ceiling = ceiling
        size, hidden = model.inputs, settings.hidden
        self.reward_net = EnsembleMLP(1, 2 * size + actions, hidden, BINS)
        self.critics = EnsembleMLP(settings.critics, size + actions, hidden, BINS)
        self.slow = EnsembleMLP(settings.critics, size + actions, hidden, BINS).requires_grad_(False)
        self.slow.load_state_dict(self.critics.state_dict())
        self.actor = nn.Sequential(
            nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, actions)
        )
        judges = [*self.reward_net.parameters(), *self.critics.parameters()]
        self.judging = torch.optim.Adam(judges, settings.rate, fused=True)
        self.acting = torch.optim.Adam(self.actor.parameters(), settings.rate, fused=True)

    def parts(self) -> dict[str, Any]:
        names = ("reward_net", "critics", "slow", "actor", "judging", "acting")
        return {name: getattr(self, name) for name in names}

    def act(self, states: Tensor) -> Tensor:
        """Actions (..., A) of the policy in states (..., S)."""
        return to_unit_disk(self.actor(self.model.standard(states)))

    def costs(self, states: Tensor, actions: Tensor, goal: Tensor) -> Tensor:
        members, count, length, size = states.shape
        before, after = states[:, :, :-1].reshape(-1, size), states[:, :, 1:].reshape(-1, size)
        every = actions.expand(members, -1, -1, -1).reshape(len(before), -1)
        rewards = expected(self._rewards(before, every, after)).view(members, count, length - 1)
        last = states[:, :, -1].reshape(-1, size)
        value = expected(self._values(self.critics, last, self.act(last))).mean(0).view(members, count)
        discounts = self.settings.discount ** torch.arange(length)
        return -(rewards * discounts[:-1]).sum(-1) - discounts[-1] * value

    def propose(self, state: Tensor, horizon: int) -> Tensor:
        actions = []
        for _ in range(horizon):
            actions.append(self.act(state))
            state = self.model.step(state.expand(self.model.settings.members, 1, -1), actions[-1][None])[:, 0].mean(0)
        return torch.stack(actions)

    def learn(self, replay: Replay, rng: np.random.Generator) -> dict[str, float]:
        windows = replay.draw(rng, self.settings.batch, 1)
        state, following = windows.states[:, 0], windows.states[:, 1]
        action, reward = windows.actions[:, 0], windows.rewards[:, 0] - self.ceiling
        with torch.no_grad():
            ahead = expected(self._values(self.slow, following, self.act(following))).amin(0)
            target = reward + self.settings.discount * (1 - windows.terminal[:, 0]) * ahead
        logits = self._values(self.critics, state, action)
        value = bin_loss(logits, target.expand(len(logits), -1)).mean()
        worth = bin_loss(self._rewards(state, action, following), reward).mean()
        descend(self.judging, value + worth)
        self.critics.requires_grad_(False)  # the policy climbs the critics, they do not meet it
        gain = expected(self._values(self.critics, state, self.act(state))).mean(0)
        descend(self.acting, -(gain / (gain.detach().std() + 1)).mean())
        self.critics.requires_grad_(True)
        with torch.no_grad():
            for slow, critic in zip(self.slow.parameters(), self.critics.parameters(), strict=True):
                slow.lerp_(critic, self.settings.follow)
        return {"value": value.item(), "reward": worth.item(), "worth": gain.mean().item()}

    def _rewards(self, states: Tensor, actions: Tensor, following: Tensor) -> Tensor:
        standard = self.model.standard
        return self.reward_net(torch.cat([standard(states), actions, standard(following)], -1)[None])[0]

    def _values(self, critics: EnsembleMLP, states: Tensor, actions: Tensor) -> Tensor:
        inputs = torch.cat([self.model.standard(states), actions], -1)
        return critics(inputs.expand(critics.members, -1, -1))
