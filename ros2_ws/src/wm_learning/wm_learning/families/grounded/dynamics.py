"""Ensemble dynamics: what one step of tool motion does to the latent.

Physics on a table does not depend on where it happens: members see only the object relative to the tool, so what is
learned in one place holds everywhere.
"""

import torch
from torch import Tensor, nn

from wm_core.layout import Layout, Part
from wm_learning.families.base import LAG, OBJECT, STATE, TOOL, XY
from wm_learning.families.parts import EnsembleMLP, bounded_variance, imagine, move_tool

CODE = STATE  # the family's own part of the latent: what the object looks like
RELATIVE_SCALE = 0.08  # [m] object relative to tool
MOTION_SCALE = 0.01  # [m] object motion in a step
CODE_SCALE = 0.3  # change of the appearance code in a step


class EnsembleDynamics(nn.Module):
    """Latent [object xy, tool xy, lag xy, code]; lag = commanded minus measured tool position [m]."""

    scales: Tensor

    def __init__(self, members: int, code: int, hidden: int, scales: Tensor) -> None:
        """`scales` (2,) [m]: displacement of an action of ones."""
        super().__init__()
        self.members = members
        self.inputs, self.outputs = (
            Layout((*(Part(name, XY) for name in names), Part("code", tuple(map(str, range(code))))))
            for names in (("relative", "lag", "action"), ("motion", "lag", "spread"))
        )
        self.network = EnsembleMLP(members, self.inputs.size, hidden, self.outputs.size)
        self.register_buffer("scales", scales, persistent=False)

    def forward(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2) -> next latent (members, n, L), predictive object variance (members, n, 2) [m^2]."""
        code = latent[..., CODE]
        relative = (latent[..., OBJECT] - latent[..., TOOL]) / RELATIVE_SCALE
        actions = action.expand(self.members, -1, -1)
        out = self.network(torch.cat([relative, latent[..., LAG] / self.scales, actions, code], -1))
        motion, lag, spread, change = (self.outputs.of(out, part.name) for part in self.outputs.parts)
        moved, next_lag = latent[..., OBJECT] + MOTION_SCALE * motion, self.scales * lag
        tool = move_tool(latent, actions, next_lag, self.scales)
        return torch.cat([moved, tool, next_lag, code + CODE_SCALE * change], -1), bounded_variance(spread)

    def rollout(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members or 1, n or 1, L), (n, H, 2) -> latents (members, n, H, L), accumulated object variance (members, n, H, 2)."""
        return imagine(self, latent, actions, self.members)
