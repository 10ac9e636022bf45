"""What the model of every family is: four graphs that a robot runs.

Latent (L,) of every family: [object xy, tool xy, lag xy (m), then the family's own state]; lag = commanded minus measured
tool. Embedding (D,): [object xy, log variance xy, visibility logit, then the family's own features]; see wm_core.bundle.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wm_core.bundle import BevSpec

OBJECT, TOOL, LAG, STATE = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, None)


@dataclass(frozen=True)
class Sizes:
    """Sizes that every family has."""

    state: int  # of the family's own part of the latent
    features: int  # of the family's own part of the embedding
    members: int  # of the ensemble, or samples of a stochastic model
    horizon: int = 12  # steps of one call of the rollout graph
    action_scale: float = 0.03  # [m] per step
    step_duration: float = 0.1  # [s]

    @property
    def latent(self) -> int:
        return 6 + self.state

    @property
    def embedding(self) -> int:
        return 5 + self.features


class WorldModel(nn.Module, ABC):
    """A trainable world model; its four graphs are exported. What trains it stands beside it, see wm_learning.families."""

    family: str
    config: Any
    sizes: Sizes
    bev: BevSpec
    decoder: nn.Module  # latent (b, L) -> image, readout

    @abstractmethod
    def encode(self, bev: Tensor) -> Tensor:
        """`bev` (b, 5, rows, columns) -> embedding (b, D)."""

    @abstractmethod
    def filter(
        self, mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One belief step for a batch.

        mean, variance (b, L); action (b, 2) executed since the last step; embedding (b, D); proprio (b, 4) = tool xy and
        commanded tool xy [m] -> mean, variance (b, L), predicted object (b, 2), its variance (b, 2), surprise (b,).
        """

    @abstractmethod
    def imagine(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Latent (E or 1, n or 1, L), actions (n, H, 2) -> latents (E, n, H, L), accumulated object variance (E, n, H, 2) [m^2]."""

    def rollout(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latent (E or 1, n or 1, L), actions (n, H, 2) -> readout (E, n, H, 4), variance (E, n, H, 2), final latent (E, n, L)."""
        latents, variance = self.imagine(latent, actions)
        return torch.cat([latents[..., OBJECT], latents[..., TOOL]], -1), variance, latents[:, :, -1]

    def decode(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Latent (b, L) -> image (b, rows, columns, 3) in 0..1, readout (b, 4)."""
        return self.decoder(latent)

    def initial(self) -> tuple[Tensor, Tensor]:
        """Mean and variance (L,) of the belief before the first observation: somewhere on the table, unknown looks."""
        mean = torch.tensor([*self.bev.centre, *self.bev.centre, 0.0, 0.0] + [0.0] * self.sizes.state)
        variance = torch.tensor([1.0] * 2 + [1e-8] * 4 + [10.0] * self.sizes.state)
        return mean, variance

    def graphs(self) -> dict[str, nn.Module]:
        """The modules that are exported, by graph; a family may export a faster equivalent, and what else a bundle may bring."""
        return {name: _Method(self, name) for name in ("encode", "filter", "rollout", "decode")}


class _Method(nn.Module):
    """A method of a model as a module."""

    def __init__(self, model: WorldModel, name: str) -> None:
        super().__init__()
        self.model = model
        self._name = name

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        return getattr(self.model, self._name)(*inputs)
