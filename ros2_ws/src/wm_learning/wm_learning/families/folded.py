"""Rollouts of an ensemble with everything linear folded into its weight matrices.

All that surrounds the two hidden layers is linear in latent and action (relative position, scaling, the kinematics of the
tool), so a step, or a jump of several, is three matrix products. The planner waits for them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_learning.families.base import PLANE, READ
from wm_learning.families.parts import EnsembleMLP, bounded_variance


class Folded(nn.Module):
    """Graph of an ensemble; what it works on: [latent (L), variance logits (2), actions (w), 1], where the one carries the biases."""

    first: Tensor
    hidden: Tensor
    bias: Tensor
    last: Tensor

    def __init__(self, network: EnsembleMLP, prepare: Tensor, carry: Tensor, apply: Tensor) -> None:
        """`prepare` (L + w + 3, inputs): to the inputs of the network. `carry` (L + w + 3, L + 2): to the next latent and variance
        logits, without the network's part. `apply` (outputs, L + 2): from its outputs to them."""
        super().__init__()
        with torch.no_grad():
            first = prepare @ network.input.weight
            first[:, -1] += network.input.bias[:, 0]
            state = carry.expand(network.members, -1, -1).clone()
            state[:, -1] += network.output.bias[:, 0] @ apply
            last = torch.cat([network.output.weight @ apply, state], 1)
        self.latent = carry.shape[1] - PLANE
        self._width = carry.shape[0] - carry.shape[1] - 1
        for name, value in (("first", first), ("last", last)):
            self.register_buffer(name, value)
        for name, value in (("hidden", network.hidden.weight), ("bias", network.hidden.bias)):
            self.register_buffer(name, value.detach())

    def forward(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latent (1 or members, 1 or n, L), actions (n, H w / 2, 2) -> readout (members, n, H, 4), variance (.., H, 2), final latent."""
        steps = PLANE * actions.shape[1] // self._width
        actions = actions.reshape(-1, steps, self._width)
        # Adding zeros broadcasts a shared start latent over members and candidates.
        zeros = torch.zeros(self.first.shape[0], 1, 1) * actions[None, :, 0, :1]
        state = F.pad(latent, (0, PLANE)) + zeros
        inputs = F.pad(actions, (0, 1), value=1.0) + zeros[..., None]
        states = []
        for step in range(steps):
            x = torch.cat([state, inputs[:, :, step]], -1)
            h = F.relu(torch.matmul(x, self.first))
            h = F.relu(torch.matmul(h, self.hidden) + self.bias)
            state = torch.matmul(torch.cat([h, x], -1), self.last)
            states.append(state)
        whole = torch.stack(states, 2)
        variance = torch.cumsum(bounded_variance(whole[..., self.latent :]), 2)
        return whole[..., READ], variance, state[..., : self.latent]
