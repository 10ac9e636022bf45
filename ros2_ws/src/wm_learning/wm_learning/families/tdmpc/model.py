"""TD-MPC2 on a table: a latent of simplices, dynamics in it, and heads that say what a state is worth for a goal.

Latent (L,) = [object xy, tool xy, lag xy (m), state]; the state is SimNorm (Hansen et al. 2024): groups of numbers that are each
positive and sum to one. Where the object is comes from a head on the encoder's features, trained together with it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_bags.steps.step_spec import StepSpec
from wm_core.specs import BevSpec
from wm_learning.families.base import LAG, OBJECT, PLANE, SEEN, STATE, TOOL, WorldModel, sizes
from wm_learning.families.decoder import Decoder
from wm_learning.families.parts import BeliefUpdate, EnsembleMLP, MapEncoder, bounded_variance, imagine, move_tool
from wm_learning.families.tdmpc.config import TdmpcConfig
from wm_learning.families.tdmpc.heads import CostToGo, Heads, Policy

GROUP = 8  # numbers in a simplex
TABLE_SCALE = 0.25  # [m] unit of the position head
RELATIVE_SCALE = 0.08  # [m] object relative to tool
MOTION_SCALE = 0.01  # [m] object motion in a step


def simnorm(x: Tensor) -> Tensor:
    """(..., S) -> the same with each group of GROUP numbers through a softmax."""
    return F.softmax(x.unflatten(-1, (-1, GROUP)), -1).flatten(-2)


class TdmpcModel(WorldModel):
    family = "tdmpc"
    centre: Tensor

    def __init__(
        self, config: TdmpcConfig | None = None, bev: BevSpec | None = None, steps: StepSpec | None = None
    ) -> None:
        super().__init__()
        self.config = config or TdmpcConfig()
        self.bev = bev or BevSpec()
        state, features = self.config.state, self.config.features
        if state % GROUP:
            raise ValueError(f"expected a state of a multiple of {GROUP} numbers, got {state}")
        self.sizes = sizes(state=state, features=state, members=self.config.members, steps=steps)
        self.register_buffer("scales", self.sizes.scales, persistent=False)
        self.encoder = MapEncoder(self.bev, features)
        self.place = nn.Sequential(nn.ReLU(), nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, SEEN.stop))
        self.to_state = nn.Linear(features, state)
        self.dynamics = EnsembleMLP(self.config.members, state + 3 * PLANE, self.config.hidden, 3 * PLANE + state)
        self.belief = BeliefUpdate(state)
        self.heads = Heads(state, self.config.values.hidden, self.config.values.critics)
        self.decoder = Decoder(self.bev, state)
        self.register_buffer("centre", torch.tensor(self.bev.centre), persistent=False)

    def encode(self, bev: Tensor) -> Tensor:
        features = self.encoder(bev)
        out = self.place(features)
        place, spread, logit = out.split((PLANE, PLANE, 1), 1)
        log_variance = torch.log(bounded_variance(spread))
        state = simnorm(self.to_state(features))
        return torch.cat([self.centre + TABLE_SCALE * place, log_variance, logit, state], 1)

    def step(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2) -> next latent (members, n, L), predictive object variance (members, n, 2) [m^2]."""
        state, scale = latent[..., STATE], self.scales
        actions = action.expand(self.sizes.members, -1, -1)
        relative = (latent[..., OBJECT] - latent[..., TOOL]) / RELATIVE_SCALE
        out = self.dynamics(torch.cat([state, relative, latent[..., LAG] / scale, actions], -1))
        motion, lag, spread, change = out.split((PLANE, PLANE, PLANE, state.shape[-1]), -1)
        moved, next_lag = latent[..., OBJECT] + MOTION_SCALE * motion, scale * lag
        tool = move_tool(latent, actions, next_lag, scale)
        following = simnorm(torch.log(state.clamp(min=1e-4)) + change)
        return torch.cat([moved, tool, next_lag, following], -1), bounded_variance(spread)

    def imagine(self, latent: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(members or 1, n or 1, L), (n, H, 2) -> latents (members, n, H, L), accumulated variance (members, n, H, 2)."""
        return imagine(self.step, latent, actions, self.sizes.members)

    def filter(
        self, mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        latents, predictive = self.step(mean.expand(self.sizes.members, -1, -1), action)
        return self.belief(latents, predictive, variance, embedding, proprio)

    def graphs(self) -> dict[str, nn.Module]:
        return {**super().graphs(), "policy": Policy(self.heads), "value": CostToGo(self.heads)}
