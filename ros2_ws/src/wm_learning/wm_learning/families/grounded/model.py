"""The whole grounded model: encoder, ensemble dynamics, belief filter and decoder around one latent."""

from torch import Tensor, nn

from wm_bags.steps.step_spec import StepSpec
from wm_core.specs import BevSpec
from wm_learning.families.base import WorldModel, sizes
from wm_learning.families.decoder import Decoder
from wm_learning.families.encoder import Encoder
from wm_learning.families.grounded.config import GroundedConfig
from wm_learning.families.grounded.dynamics import EnsembleDynamics
from wm_learning.families.grounded.rollout import FoldedRollout
from wm_learning.families.parts import BeliefUpdate


class GroundedModel(WorldModel):
    """The family's own state is an appearance code: latent (L,) = [object xy, tool xy, lag xy (m), code]."""

    family = "grounded"

    def __init__(
        self, config: GroundedConfig | None = None, bev: BevSpec | None = None, steps: StepSpec | None = None
    ) -> None:
        super().__init__()
        self.config = config or GroundedConfig()
        self.bev = bev or BevSpec()
        code = self.config.code
        self.sizes = sizes(state=code, features=code, members=self.config.members, steps=steps)
        self.encoder = Encoder(self.bev, code)
        self.dynamics = EnsembleDynamics(self.config.members, code, self.config.hidden, self.sizes.scales)
        self.belief = BeliefUpdate(code)
        self.decoder = Decoder(self.bev, code)

    def encode(self, bev: Tensor) -> Tensor:
        return self.encoder(bev)

    def filter(
        self, mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        latents, predictive = self.dynamics(mean.expand(self.sizes.members, -1, -1), action)
        return self.belief(latents, predictive, variance, embedding, proprio)

    def imagine(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        return self.dynamics.rollout(latent, actions)

    def graphs(self) -> dict[str, nn.Module]:
        return {**super().graphs(), "rollout": FoldedRollout(self.dynamics)}
