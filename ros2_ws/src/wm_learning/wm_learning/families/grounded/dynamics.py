"""Ensemble dynamics: what one step of tool motion does to the latent.

Physics on a table does not depend on where it happens: members see only the object relative to the tool, so what is
learned in one place holds everywhere.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_learning.families.base import LAG, OBJECT, STATE, TOOL
from wm_learning.families.parts import EnsembleLinear, bounded_variance

CODE = STATE  # the family's own part of the latent: what the object looks like
RELATIVE_SCALE = 0.08  # [m] object relative to tool
MOTION_SCALE = 0.01  # [m] object motion in a step
CODE_SCALE = 0.3  # change of the appearance code in a step


class EnsembleDynamics(nn.Module):
    """Latent [object xy, tool xy, lag xy, code]; lag = commanded minus measured tool position [m]."""

    def __init__(self, members: int, code: int, hidden: int, action_scale: float) -> None:
        super().__init__()
        self.members = members
        self.action_scale = action_scale
        self.input = EnsembleLinear(members, 6 + code, hidden, gain=1.4)
        self.hidden = EnsembleLinear(members, hidden, hidden, gain=1.4)
        self.output = EnsembleLinear(members, hidden, 6 + code, gain=0.1)

    def forward(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2) -> next latent (members, n, L), predictive object variance (members, n, 2) [m^2]."""
        lag = latent[..., LAG]
        code = latent[..., CODE]
        relative = (latent[..., OBJECT] - latent[..., TOOL]) / RELATIVE_SCALE
        actions = action.expand(self.members, -1, -1) if action.dim() == 2 else action
        x = torch.cat([relative, lag / self.action_scale, actions, code], -1)
        x = F.relu(self.input(x))
        x = F.relu(self.hidden(x))
        out = self.output(x)
        moved = latent[..., OBJECT] + MOTION_SCALE * out[..., 0:2]
        next_lag = self.action_scale * out[..., 2:4]
        # The commanded position is known exactly, so only the lag behind it has to be learned.
        tool = latent[..., TOOL] + lag + self.action_scale * actions - next_lag
        return torch.cat([moved, tool, next_lag, code + CODE_SCALE * out[..., 6:]], -1), bounded_variance(out[..., 4:6])

    def rollout(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, H, 2) -> latents (members, n, H, L), accumulated object variance (members, n, H, 2)."""
        latents, variances = [], []
        total: Tensor | float = 0.0
        for step in range(actions.shape[1]):
            latent, variance = self(latent, actions[:, step])
            total = total + variance
            latents.append(latent)
            variances.append(total)
        return torch.stack(latents, 2), torch.stack(variances, 2)  # type: ignore[arg-type]
