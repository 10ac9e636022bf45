"""JEPA: encoder and action-conditioned predictor in a latent that was never told what an object is.

Latent (L,) = [object xy, tool xy, lag xy (m), state]. The state comes from the encoder alone; object position, its variance and
visibility are read out by probes whose gradients stop at it. LeWorldModel (Maes et al. 2026) and V-JEPA 2-AC (Assran et al.
2025) are the references.
"""

import torch
from torch import Tensor, nn

from wm_core.specs import BevSpec
from wm_learning.families.base import LAG, OBJECT, STATE, TOOL, Sizes, WorldModel
from wm_learning.families.decoder import Decoder
from wm_learning.families.jepa.config import JepaConfig
from wm_learning.families.parts import BeliefUpdate, EnsembleMLP, MapEncoder, bounded_variance, imagine, move_tool

TABLE_SCALE = 0.25  # [m] tool positions enter the predictor in these units
MOTION_SCALE = 0.01  # [m] object motion in a step
STATE_STEP = 0.3  # scale of the predicted change of the state


class JepaModel(WorldModel):
    family = "jepa"
    centre: Tensor

    def __init__(self, config: JepaConfig | None = None, bev: BevSpec | None = None) -> None:
        super().__init__()
        self.config = config or JepaConfig()
        self.bev = bev or BevSpec()
        state = self.config.state
        self.sizes = Sizes(state=state, features=state, members=self.config.members)
        self.encoder = MapEncoder(self.bev, state)
        self.predictor = EnsembleMLP(self.config.members, state + 6, self.config.hidden, state + 4)
        self.probe = nn.Sequential(
            nn.Linear(state, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 5)
        )  # x, y, variances, visibility
        self.motion_probe = nn.Sequential(nn.Linear(2 * state, 128), nn.ReLU(), nn.Linear(128, 2))
        self.belief = BeliefUpdate(state)
        self.decoder = Decoder(self.bev, state)
        self.register_buffer("centre", torch.tensor(self.bev.centre), persistent=False)

    # -- graphs --------------------------------------------------------------------------------------------------

    def encode(self, bev: Tensor) -> Tensor:
        return self.embedding_of(self.encoder(bev))

    def embedding_of(self, state: Tensor) -> Tensor:
        """Embedding (b, D) of the encoder's output: what the probes read in it, then itself."""
        out = self.probe(state)
        log_variance = torch.log(bounded_variance(out[:, 2:4]))
        return torch.cat([self.centre + TABLE_SCALE * out[:, 0:2], log_variance, out[:, 4:5], state], 1)

    def step(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2) -> next latent (members, n, L), predictive object variance (members, n, 2) [m^2]."""
        state, scale = latent[..., STATE], self.sizes.action_scale
        actions = action.expand(self.sizes.members, -1, -1)
        x = torch.cat([state, (latent[..., TOOL] - self.centre) / TABLE_SCALE, latent[..., LAG] / scale, actions], -1)
        out = self.predictor(x)
        following = state + STATE_STEP * out[..., 4:]
        # A probe says how far the object moves, the belief where from: so the two agree at the first step.
        change = torch.cat([state, following - state], -1).detach()
        thing = latent[..., OBJECT] + MOTION_SCALE * self.motion_probe(change)
        next_lag = scale * out[..., 0:2]
        tool = move_tool(latent, actions, next_lag, scale)
        return torch.cat([thing, tool, next_lag, following], -1), bounded_variance(out[..., 2:4])

    def imagine(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members or 1, n or 1, L), (n, H, 2) -> latents (members, n, H, L), accumulated variance (members, n, H, 2)."""
        return imagine(self.step, latent, actions, self.sizes.members)

    def filter(
        self, mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        latents, predictive = self.step(mean.expand(self.sizes.members, -1, -1), action)
        return self.belief(latents, predictive, variance, embedding, proprio)
