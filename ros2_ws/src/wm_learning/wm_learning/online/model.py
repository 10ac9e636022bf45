"""The world model: an ensemble that predicts how the state changes under an action (Chua et al. 2018, "PETS")."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_learning.families.parts import EnsembleMLP
from wm_learning.online.replay import Replay, Windows
from wm_learning.online.settings import Dynamics

Features = Callable[[Tensor], Tensor]  # what is known to matter (..., F) of states (..., S)

LEAST = 1e-2  # a number that hardly varies is not scaled beyond this share of the median one
BOUND = 8.0  # imagined states stay within as many standard deviations of those seen


class StateModel(nn.Module):
    """States (S,), actions (A,); each member is trained on windows of its own and sees F features of the state beside it."""

    mean: Tensor
    scale: Tensor
    change: Tensor

    def __init__(self, state: int, action: int, settings: Dynamics, features: Features | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.features = features
        self.inputs = self._seen(torch.zeros(state)).shape[-1]  # S + F
        self.net = EnsembleMLP(settings.members, self.inputs + action, settings.hidden, state)
        self.register_buffer("mean", torch.zeros(self.inputs))
        self.register_buffer("scale", torch.ones(self.inputs))
        self.register_buffer("change", torch.ones(state))

    def normalise(self, replay: Replay) -> None:
        """Measure the units of states and of their changes on what was experienced."""
        states = torch.from_numpy(replay.array("state"))
        change = torch.from_numpy(replay.array("following")) - states
        seen = self._seen(states)
        self.mean.copy_(seen.mean(0))
        self.scale.copy_(_spread(seen))
        self.change.copy_(_spread(change))

    def standard(self, states: Tensor) -> Tensor:
        """States (..., S) with their features (..., S + F), in standard units."""
        return ((self._seen(states) - self.mean) / self.scale).clamp(-BOUND, BOUND)

    def _seen(self, states: Tensor) -> Tensor:
        return states if self.features is None else torch.cat([states, self.features(states)], -1)

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """(members, n, S), (n, A) or (members, n, A) -> next states (members, n, S)."""
        actions = actions.expand(self.settings.members, -1, -1)
        return states + self.change * self.net(torch.cat([self.standard(states), actions], -1))

    def imagine(self, state: Tensor, actions: Tensor) -> Tensor:
        """(S,), (n, H, A) -> states (members, n, H + 1, S), the first one included."""
        states = [state.expand(self.settings.members, len(actions), -1)]
        for index in range(actions.shape[1]):
            states.append(self.step(states[-1], actions[:, index]))
        return torch.stack(states, 2)

    def loss(self, windows: Windows) -> Tensor:
        """Huber loss of all steps of windows (members * b), in units of the usual change."""
        members = self.settings.members
        states, actions, weights = (
            values.unflatten(0, (members, -1)) for values in (windows.states, windows.actions, windows.weights)
        )
        state, total = states[:, :, 0], torch.zeros(())
        for index in range(actions.shape[2]):
            state = self.step(state, actions[:, :, index])
            error = (state - states[:, :, index + 1]) / self.change
            each = F.huber_loss(error, torch.zeros_like(error), reduction="none").mean(-1)
            total = total + (each * weights[:, :, index]).sum()
        return total / weights.sum()


def _spread(values: Tensor) -> Tensor:
    """Standard deviations (S,) of values (n, S), of none much less than of the others."""
    std = values.std(0)
    return std.clamp(min=float(LEAST * std.median()) + 1e-6)


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of an optimiser down a loss."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
