"""Networks that jump: a latent and the actions of k steps -> the latent k steps later.

As one-step dynamics do, they see the object only relative to the tool; the commanded tool position is known exactly at every
step of a jump, so they are given how it passes the object and learn only what comes of it.
"""

import torch
from torch import Tensor, nn

from wm_learning.families.base import LAG, OBJECT, PLACE, PLANE, STATE, TOOL
from wm_learning.families.folded import Folded
from wm_learning.families.parts import EnsembleMLP, bounded_variance, imagine, move_tool

RELATIVE_SCALE = 0.08  # [m] object relative to tool
MOTION_SCALE = 0.03  # [m] object motion in a jump


class JumpDynamics(nn.Module):
    """An ensemble over latents [object xy, tool xy, lag xy (m), the family's own state]."""

    mean: Tensor
    scales: Tensor
    spread: Tensor

    def __init__(self, members: int, state: int, hidden: int, k: int, scales: Tensor) -> None:
        """`state`: numbers of the family's own state. `k`: steps of a jump. `scales` (2,) [m]: of an action of ones."""
        super().__init__()
        self.members = members
        self.k = k
        self.network = EnsembleMLP(members, (2 + k) * PLANE + state, hidden, 3 * PLANE + state)
        self.register_buffer("scales", scales, persistent=False)
        # What is usual of the family's own state, whatever its scale.
        self.register_buffer("mean", torch.zeros(state))
        self.register_buffer("spread", torch.ones(state))

    def forward(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2 k) -> latent after the jump (members, n, L), predictive object variance (members, n, 2) [m^2]."""
        following = self.follow(latent, actions, self.network(self.look(latent, actions)))
        return following[..., :-PLANE], bounded_variance(following[..., -PLANE:])

    def look(self, latent: Tensor, actions: Tensor) -> Tensor:
        """What the network sees: affine in latent (..., L) and actions (n, 2 k)."""
        gap = latent[..., OBJECT] - latent[..., TOOL] - latent[..., LAG]  # of the object to the commanded tool, now
        gaps = gap[..., None, :] - self.scales * torch.cumsum(
            actions.unflatten(-1, (self.k, PLANE)), -2
        )  # and after each step
        lag, state = latent[..., LAG] / self.scales, (latent[..., STATE] - self.mean) / self.spread
        return torch.cat([gap / RELATIVE_SCALE, lag, gaps.flatten(-2) / RELATIVE_SCALE, state], -1)

    def follow(self, latent: Tensor, actions: Tensor, out: Tensor) -> Tensor:
        """What comes of its outputs (..., 6 + S): the latent after the jump and two logits of the variance; linear."""
        motion, lag, spread, change = out.split((PLANE, PLANE, PLANE, len(self.spread)), -1)
        moved, next_lag = latent[..., OBJECT] + MOTION_SCALE * motion, self.scales * lag
        tool = move_tool(latent, actions.unflatten(-1, (self.k, PLANE)).sum(-2), next_lag, self.scales)
        state = latent[..., STATE] + self.spread * change
        return torch.cat([moved, tool, next_lag, state, spread], -1)

    def jump(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members or 1, n or 1, L), (n, J k, 2) -> latents (members, n, J, L) at the ends of J jumps, accumulated object variance."""
        return imagine(self, latent, actions.unflatten(1, (-1, self.k)).flatten(2), self.members)


def folded(dynamics: JumpDynamics) -> Folded:
    """The graph `jump`: what look and follow do to single numbers tells their matrices."""
    own = len(dynamics.mean)
    latent, width, outputs = PLACE.stop + own, PLANE * dynamics.k, 3 * PLANE + own
    one = torch.eye(latent + width)
    rows = torch.cat([one[:latent], torch.zeros(PLANE, latent + width), one[latent:], torch.zeros(1, latent + width)])
    with torch.no_grad():
        offset = dynamics.look(rows[-1:, :latent], rows[-1:, latent:])
        prepare = dynamics.look(rows[:, :latent], rows[:, latent:]) - offset
        prepare[-1] = offset
        carry = dynamics.follow(rows[:, :latent], rows[:, latent:], torch.zeros(len(rows), outputs))
        nothing = torch.zeros(outputs, latent + width)
        apply = dynamics.follow(nothing[:, :latent], nothing[:, latent:], torch.eye(outputs))
    return Folded(dynamics.network, prepare, carry, apply)
