"""JEPA: encoder and action-conditioned predictor in a latent that was never given an object's position.

Latent (L,) = [object xy, tool xy, lag xy (m), state]. The state comes from the encoder alone; object position, its variance and
visibility are read out by probes whose gradients stop at it. LeWorldModel (Maes et al. 2026) and V-JEPA 2-AC (Assran et al.
2025) are the references.
"""

import torch
from torch import Tensor, nn

from wm_bags.steps.step_spec import StepSpec
from wm_core.specs import BevSpec
from wm_learning.families.base import LAG, OBJECT, PLANE, SEEN, STATE, TOOL, WorldModel, sizes
from wm_learning.families.decoder import Decoder
from wm_learning.families.jepa.config import JepaConfig
from wm_learning.families.parts import BeliefUpdate, EnsembleMLP, MapEncoder, bounded_variance, imagine, move_tool

TABLE_SCALE = 0.25  # [m] tool positions enter the predictor in these units
MOTION_SCALE = 0.01  # [m] object motion in a step
STATE_STEP = 0.3  # scale of the predicted change of the state


class JepaModel(WorldModel):
    family = "jepa"
    centre: Tensor

    def __init__(
        self, config: JepaConfig | None = None, bev: BevSpec | None = None, steps: StepSpec | None = None
    ) -> None:
        super().__init__()
        self.config = config or JepaConfig()
        self.bev = bev or BevSpec()
        state = self.config.state
        self.sizes = sizes(state=state, features=state, members=self.config.members, steps=steps)
        self.register_buffer("scales", self.sizes.scales, persistent=False)
        self.encoder = MapEncoder(self.bev, state)
        self.predictor = EnsembleMLP(self.config.members, state + 3 * PLANE, self.config.hidden, 2 * PLANE + state)
        self.probe = nn.Sequential(
            nn.Linear(state, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, SEEN.stop)
        )  # x, y, variances, visibility
        self.motion_probe = nn.Sequential(nn.Linear(2 * state, 128), nn.ReLU(), nn.Linear(128, PLANE))
        self.belief = BeliefUpdate(state)
        self.decoder = Decoder(self.bev, state)
        self.register_buffer("centre", torch.tensor(self.bev.centre), persistent=False)

    # -- graphs --------------------------------------------------------------------------------------------------

    def encode(self, bev: Tensor) -> Tensor:
        return self.embedding_of(self.encoder(bev))

    def embedding_of(self, state: Tensor) -> Tensor:
        """Embedding (b, D) of the encoder's output: what the probes read in it, then itself."""
        out = self.probe(state)
        place, spread, logit = out.split((PLANE, PLANE, 1), 1)
        log_variance = torch.log(bounded_variance(spread))
        return torch.cat([self.centre + TABLE_SCALE * place, log_variance, logit, state], 1)

    def step(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2) -> next latent (members, n, L), predictive object variance (members, n, 2) [m^2]."""
        state, scale = latent[..., STATE], self.scales
        actions = action.expand(self.sizes.members, -1, -1)
        x = torch.cat([state, (latent[..., TOOL] - self.centre) / TABLE_SCALE, latent[..., LAG] / scale, actions], -1)
        out = self.predictor(x)
        lag, spread, change = out.split((PLANE, PLANE, state.shape[-1]), -1)
        following = state + STATE_STEP * change
        # A probe says how far the object moves, the belief where from: so the two agree at the first step.
        change = torch.cat([state, following - state], -1).detach()
        object_xy = latent[..., OBJECT] + MOTION_SCALE * self.motion_probe(change)
        next_lag = scale * lag
        tool = move_tool(latent, actions, next_lag, scale)
        return torch.cat([object_xy, tool, next_lag, following], -1), bounded_variance(spread)

    def imagine(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members or 1, n or 1, L), (n, H, 2) -> latents (members, n, H, L), accumulated variance (members, n, H, 2)."""
        return imagine(self.step, latent, actions, self.sizes.members)

    def filter(
        self, mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        latents, predictive = self.step(mean.expand(self.sizes.members, -1, -1), action)
        return self.belief(latents, predictive, variance, embedding, proprio)
