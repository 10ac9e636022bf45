"""Networks that jump: a latent and the actions of k steps -> the latent k steps later.

As one-step dynamics do, they see the object only relative to the tool; the commanded tool position is known exactly at every
step of a jump, so they are told how it passes the object and learn only what comes of it.
"""

import torch
from torch import Tensor, nn

from wm_learning.families.base import LAG, OBJECT, STATE, TOOL
from wm_learning.families.folded import Folded
from wm_learning.families.parts import EnsembleMLP, bounded_variance, imagine, move_tool

RELATIVE_SCALE = 0.08  # [m] object relative to tool
MOTION_SCALE = 0.03  # [m] object motion in a jump


class JumpDynamics(nn.Module):
    """An ensemble over latents [object xy, tool xy, lag xy (m), the family's own state]."""

    mean: Tensor
    spread: Tensor

    def __init__(self, members: int, state: int, hidden: int, k: int, action_scale: float) -> None:
        """`state`: numbers of the family's own state. `k`: steps of a jump. `action_scale`: [m] per step."""
        super().__init__()
        self.members = members
        self.k = k
        self.action_scale = action_scale
        self.network = EnsembleMLP(members, 4 + state + 2 * k, hidden, 6 + state)
        # What is usual of the family's own state, whatever its scale.
        self.register_buffer("mean", torch.zeros(state))
        self.register_buffer("spread", torch.ones(state))

    def forward(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2 k) -> latent after the jump (members, n, L), predictive object variance (members, n, 2) [m^2]."""
        following = self.follow(latent, actions, self.network(self.look(latent, actions)))
        return following[..., :-2], bounded_variance(following[..., -2:])

    def look(self, latent: Tensor, actions: Tensor) -> Tensor:
        """What the network sees: affine in latent (..., L) and actions (n, 2 k)."""
        gap = latent[..., OBJECT] - latent[..., TOOL] - latent[..., LAG]  # of the object to the commanded tool, now
        gaps = gap[..., None, :] - self.action_scale * torch.cumsum(
            actions.unflatten(-1, (self.k, 2)), -2
        )  # and after each step
        lag, state = latent[..., LAG] / self.action_scale, (latent[..., STATE] - self.mean) / self.spread
        return torch.cat([gap / RELATIVE_SCALE, lag, gaps.flatten(-2) / RELATIVE_SCALE, state], -1)

    def follow(self, latent: Tensor, actions: Tensor, out: Tensor) -> Tensor:
        """What comes of its outputs (..., 6 + S): the latent after the jump and two logits of the variance; linear."""
        moved = latent[..., OBJECT] + MOTION_SCALE * out[..., 0:2]
        next_lag = self.action_scale * out[..., 2:4]
        tool = move_tool(latent, actions.unflatten(-1, (self.k, 2)).sum(-2), next_lag, self.action_scale)
        state = latent[..., STATE] + self.spread * out[..., 6:]
        return torch.cat([moved, tool, next_lag, state, out[..., 4:6]], -1)

    def jump(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members or 1, n or 1, L), (n, J k, 2) -> latents (members, n, J, L) at the ends of J jumps, accumulated object variance."""
        return imagine(self, latent, actions.unflatten(1, (-1, self.k)).flatten(2), self.members)


def folded(dynamics: JumpDynamics) -> Folded:
    """The graph `jump`: what look and follow do to single numbers tells their matrices."""
    latent, width, outputs = 6 + len(dynamics.mean), 2 * dynamics.k, 6 + len(dynamics.mean)
    one = torch.eye(latent + width)
    rows = torch.cat([one[:latent], torch.zeros(2, latent + width), one[latent:], torch.zeros(1, latent + width)])
    with torch.no_grad():
        offset = dynamics.look(rows[-1:, :latent], rows[-1:, latent:])
        prepare = dynamics.look(rows[:, :latent], rows[:, latent:]) - offset
        prepare[-1] = offset
        carry = dynamics.follow(rows[:, :latent], rows[:, latent:], torch.zeros(len(rows), outputs))
        nothing = torch.zeros(outputs, latent + width)
        apply = dynamics.follow(nothing[:, :latent], nothing[:, latent:], torch.eye(outputs))
    return Folded(dynamics.network, prepare, carry, apply)
