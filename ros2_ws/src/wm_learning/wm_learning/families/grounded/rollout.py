"""The rollout graph that the robot runs: the ensemble dynamics with everything linear folded into its weight matrices.

All that surrounds the two hidden layers is linear in state and action (relative position, scaling, the kinematics of the
tool), so a step is three matrix products. The numbers are those of EnsembleDynamics.rollout; the planner waits for them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_learning.families.base import LAG, OBJECT, TOOL
from wm_learning.families.grounded.dynamics import (
    CODE_SCALE,
    MOTION_SCALE,
    RELATIVE_SCALE,
    EnsembleDynamics,
)
from wm_learning.families.parts import bounded_variance


class FoldedRollout(nn.Module):
    """State of a step: [latent, variance logits (2), action (2), 1]; the one carries the biases."""

    first: Tensor
    hidden: Tensor
    bias: Tensor
    last: Tensor

    def __init__(self, dynamics: EnsembleDynamics) -> None:
        super().__init__()
        code, scale = dynamics.network.input.weight.shape[1] - 6, dynamics.action_scale
        latent = 6 + code
        codes, action, one = slice(6, latent), slice(latent + 2, latent + 4), latent + 4
        eye = torch.eye(2)
        # State -> input of the network.
        prepare = torch.zeros(latent + 5, 6 + code)
        prepare[OBJECT, 0:2], prepare[TOOL, 0:2] = eye / RELATIVE_SCALE, -eye / RELATIVE_SCALE
        prepare[LAG, 2:4] = eye / scale
        prepare[action, 4:6] = eye
        prepare[codes, 6:] = torch.eye(code)
        # State -> next latent and variance logits, without the network's part.
        carry = torch.zeros(latent + 5, latent + 2)
        carry[OBJECT, OBJECT], carry[TOOL, TOOL], carry[LAG, TOOL] = eye, eye, eye
        carry[action, TOOL] = scale * eye
        carry[codes, codes] = torch.eye(code)
        # Output of the network -> next latent and variance logits.
        apply = torch.zeros(6 + code, latent + 2)
        apply[0:2, OBJECT] = MOTION_SCALE * eye
        apply[2:4, LAG], apply[2:4, TOOL] = scale * eye, -scale * eye
        apply[4:6, latent : latent + 2] = eye
        apply[6:, codes] = CODE_SCALE * torch.eye(code)
        with torch.no_grad():
            first = prepare @ dynamics.network.input.weight
            first[:, one] += dynamics.network.input.bias[:, 0]
            state = carry.expand(dynamics.members, -1, -1).clone()
            state[:, one] += dynamics.network.output.bias[:, 0] @ apply
            last = torch.cat([dynamics.network.output.weight @ apply, state], 1)
        self.latent = latent
        for name, value in (("first", first), ("last", last)):
            self.register_buffer(name, value)
        for name, value in (("hidden", dynamics.network.hidden.weight), ("bias", dynamics.network.hidden.bias)):
            self.register_buffer(name, value.detach())

    def forward(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latent (1 or members, 1 or n, L), actions (n, H, 2) -> readout (members, n, H, 4), variance (members, n, H, 2), final latent."""
        steps = actions.shape[1]
        # Adding zeros broadcasts a shared start latent over members and candidates.
        zeros = torch.zeros(self.first.shape[0], 1, 1) * actions[None, :, 0, :1]
        state = F.pad(latent, (0, 2)) + zeros
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
        return whole[..., 0:4], variance, state[..., : self.latent]
