"""The whole grounded model: encoder, ensemble dynamics, belief filter and decoder around one latent."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wm_core.bundle import BevSpec
from wm_learning.grounded.belief import BeliefFilter
from wm_learning.grounded.decoder import Decoder
from wm_learning.grounded.dynamics import EnsembleDynamics
from wm_learning.grounded.encoder import Encoder


@dataclass(frozen=True)
class Sizes:
    """Sizes that define a grounded model."""

    code: int = 12
    members: int = 4
    hidden: int = 96
    horizon: int = 12
    action_scale: float = 0.03  # [m] per step
    step_duration: float = 0.1  # [s]

    @property
    def latent(self) -> int:
        return 6 + self.code

    @property
    def embedding(self) -> int:
        return 5 + self.code


class GroundedModel(nn.Module):
    """Latent (L,) = [object xy, tool xy, lag xy (m), appearance code]."""

    def __init__(self, sizes: Sizes | None = None, bev: BevSpec | None = None) -> None:
        super().__init__()
        self.sizes = sizes or Sizes()
        self.bev = bev or BevSpec()
        self.encoder = Encoder(self.bev, self.sizes.code)
        self.dynamics = EnsembleDynamics(
            self.sizes.members, self.sizes.code, self.sizes.hidden, self.sizes.action_scale
        )
        self.filter = BeliefFilter(self.dynamics, self.sizes.code)
        self.decoder = Decoder(self.bev, self.sizes.code)

    def initial(self) -> tuple[Tensor, Tensor]:
        """Mean and variance (L,) of the belief before the first observation: somewhere on the table, unknown looks."""
        centre_x = self.bev.x_min + self.bev.rows * self.bev.cell / 2
        centre_y = self.bev.y_min + self.bev.columns * self.bev.cell / 2
        mean = torch.tensor([centre_x, centre_y, centre_x, centre_y, 0.0, 0.0] + [0.0] * self.sizes.code)
        variance = torch.tensor([1.0] * 2 + [1e-8] * 4 + [10.0] * self.sizes.code)
        return mean, variance

    def latent_of(self, embedding: Tensor, proprio: Tensor) -> Tensor:
        """Latent (b, L) of one embedding alone, without memory."""
        tool, target = proprio[:, 0:2], proprio[:, 2:4]
        return torch.cat([embedding[:, 0:2], tool, target - tool, embedding[:, 5:]], 1)
