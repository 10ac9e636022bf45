"""What the model of every family is: four graphs that a robot runs.

Latent (L,) of every family: [object xy, tool xy, lag xy (m), then the family's own state]; lag = commanded minus measured
tool. Embedding (D,): [object xy, log variance xy, visibility logit, then the family's own features]; see StateSpec.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from wm_bags.steps.step_spec import DEFAULT_STEPS, StepSpec
from wm_core.specs import ActionSpec, BevSpec, StateSpec

XY = ("x", "y")
COMMON = StateSpec(1, XY, XY, 0, {"z": 0.0})  # what all families estimate
LOOKAHEAD = 1.2  # [s] of one call of the rollout graph
OBJECT, TOOL, LAG = (COMMON.latent.slice(part) for part in ("object", "tool", "lag"))
# Of a latent: what is common to all families, the family's own, and what a readout begins with.
PLACE, STATE, READ = slice(0, COMMON.latent.size), slice(COMMON.latent.size, None), slice(0, COMMON.readout.size)
LOG_VARIANCE, VISIBLE = (COMMON.embedding(0).slice(part) for part in ("log_variance", "visibility"))
VISIBILITY = VISIBLE.start
SEEN, FEATURES = slice(0, COMMON.embedding(0).size), slice(COMMON.embedding(0).size, None)  # of an embedding, likewise
MEASURED, COMMANDED = (COMMON.proprio.slice(part) for part in ("tool", "target"))
PLANE = len(XY)  # numbers of a position, a lag or a variance


@dataclass(frozen=True)
class Sizes:
    """Sizes that every family has."""

    state: int  # of the family's own part of the latent
    features: int  # of the family's own part of the embedding
    members: int  # of the ensemble, or samples of a stochastic model
    step_duration: float = DEFAULT_STEPS.duration  # [s]
    action: ActionSpec = field(default_factory=lambda: DEFAULT_STEPS.action)

    def __post_init__(self) -> None:
        if self.action.axes != XY:
            raise ValueError(
                f"expected actions along {list(XY)}, which the families know, got {list(self.action.axes)}"
            )

    @property
    def horizon(self) -> int:
        """Steps of one call of the rollout graph."""
        return max(1, round(LOOKAHEAD / self.step_duration))

    @property
    def latent(self) -> int:
        return self.specification.latent.size

    @property
    def embedding(self) -> int:
        return self.specification.embedding(self.features).size

    @property
    def specification(self) -> StateSpec:
        """What is estimated, and how latents, readouts and embeddings are laid out."""
        return replace(COMMON, own=self.state)

    @property
    def scales(self) -> Tensor:
        """Displacement (A,) float32 [m] of an action of ones."""
        return torch.tensor(self.action.scales, dtype=torch.float32)


def sizes(state: int, features: int, members: int, steps: StepSpec | None) -> Sizes:
    """Sizes of a model of such steps; without any for those of the task that is pursued by default."""
    steps = steps or DEFAULT_STEPS
    return Sizes(state, features, members, steps.duration, steps.action)


class WorldModel(nn.Module, ABC):
    """A trainable world model; its four graphs are exported. What trains it stands beside it, see wm_learning.families."""

    family: str
    config: Any
    sizes: Sizes
    bev: BevSpec
    scales: Tensor  # (A,) [m] displacement of an action of ones
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
