"""RSSM: a recurrent state-space model of what happens to the object near the tool.

Latent (L,) = [object xy, tool xy, lag xy (m), memory, variables]: the state is the deterministic memory of a recurrent cell and
its categorical variables, one-hot. PlaNet (Hafner et al. 2019) and DreamerV3 (Hafner et al. 2023) are the references; where the
object is comes from the encoder, and goes through the same Kalman filter as in every family.
"""

from itertools import cycle

import torch
from torch import Tensor, nn

from wm_bags.steps.step_spec import StepSpec
from wm_core.specs import BevSpec
from wm_learning.families.base import FEATURES, LAG, OBJECT, PLACE, PLANE, SEEN, STATE, TOOL, VISIBLE, WorldModel, sizes
from wm_learning.families.decoder import Decoder
from wm_learning.families.encoder import Encoder
from wm_learning.families.parts import KNOWN_VARIANCE, BeliefUpdate, EnsembleMLP, bounded_variance, imagine, move_tool
from wm_learning.families.returns import symlog
from wm_learning.families.rssm.cell import Cell, gumbel, sample
from wm_learning.families.rssm.config import RssmConfig

RELATIVE_SCALE = 0.03  # [m] object relative to tool, before its symmetric logarithm
INNOVATION_SCALE = 0.005  # [m] what is seen besides what was predicted, likewise
MOTION_SCALE = 0.01  # [m] object motion in a step


class RssmModel(WorldModel):
    family = "rssm"
    noise: Tensor

    def __init__(
        self, config: RssmConfig | None = None, bev: BevSpec | None = None, steps: StepSpec | None = None
    ) -> None:
        super().__init__()
        self.config = config = config or RssmConfig()
        self.bev = bev or BevSpec()
        variables = config.groups * config.classes
        state = config.deterministic + variables
        self.sizes = sizes(state=state, features=config.features, members=config.members, steps=steps)
        self.register_buffer("scales", self.sizes.scales, persistent=False)
        self.memory = slice(STATE.start, STATE.start + config.deterministic)
        self.variables = slice(self.memory.stop, self.sizes.latent)
        self.encoder = Encoder(self.bev, config.features)
        self.cell = Cell(
            config.deterministic,
            config.groups,
            config.classes,
            inputs=3 * PLANE,
            seen=config.features + PLANE + 1,
            hidden=config.hidden,
        )
        self.motion = EnsembleMLP(1, state + 3 * PLANE, config.hidden, 3 * PLANE)  # one for all members
        self.features = nn.Sequential(
            nn.Linear(state, config.hidden), nn.SiLU(), nn.Linear(config.hidden, config.features)
        )
        self.belief = BeliefUpdate(0)
        self.decoder = Decoder(self.bev, state)
        # Common random numbers: a member is the same branch for all candidates, and in a replay.
        drawn = gumbel(
            config.members,
            self.sizes.horizon,
            1,
            config.groups,
            config.classes,
            generator=torch.Generator().manual_seed(0),
        )
        self.register_buffer("noise", drawn)

    def encode(self, bev: Tensor) -> Tensor:
        return self.encoder(bev)

    # -- one step ------------------------------------------------------------------------------------------------

    def drive(self, latent: Tensor, action: Tensor) -> Tensor:
        """What moves the object (..., 6): object relative to tool, lag, action; nothing of it depends on where on the table it is."""
        relative = symlog((latent[..., OBJECT] - latent[..., TOOL]) / RELATIVE_SCALE)
        return torch.cat([relative, latent[..., LAG] / self.scales, action.expand_as(relative)], -1)

    def outcome(
        self, latent: Tensor, action: Tensor, drive: Tensor, memory: Tensor, variables: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Next latent (members, n, L) and object variance (members, n, 2) [m^2] where memory and variables have become these.

        The others may be the same for all members: latent, drive, memory (members or 1, n, ...), action (n, 2).
        """
        members = variables.shape[0]
        state = torch.cat([memory.expand(members, -1, -1), variables], -1)
        out = self.motion(torch.cat([state, drive.expand(members, -1, -1)], -1))
        motion, lag, spread = out.split(PLANE, -1)
        moved, next_lag = latent[..., OBJECT] + MOTION_SCALE * motion, self.scales * lag
        tool = move_tool(latent, action, next_lag, self.scales)
        return torch.cat([moved, tool, next_lag, state], -1), bounded_variance(spread)

    def step(self, latent: Tensor, action: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n, L), (n, 2), Gumbel noise (members, n or 1, groups, classes) -> next latent, variance (members, n, 2) [m^2]."""
        drive = self.drive(latent, action)
        memory = self.cell.advance(latent[..., self.memory], latent[..., self.variables], drive)
        variables = sample(self.cell.prior(memory), noise)
        return self.outcome(latent, action, drive, memory, variables)

    def imagine(self, latent: Tensor, actions: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(members or 1, n or 1, L), (n, H, 2) -> latents (members, n, H, L), accumulated variance (members, n, H, 2).

        `noise` (members, H, n, groups, classes): of every step; without it the members' own.
        """
        drawn = cycle((self.noise if noise is None else noise).unbind(1))
        return imagine(
            lambda latent, action: self.step(latent, action, next(drawn)), latent, actions, self.sizes.members
        )

    # -- belief --------------------------------------------------------------------------------------------------

    def update(
        self,
        mean: Tensor,
        variance: Tensor,
        action: Tensor,
        embedding: Tensor,
        proprio: Tensor,
        prior_noise: Tensor,
        posterior_noise: Tensor | float,
    ) -> tuple[Tensor, ...]:
        """`filter` with Gumbel noise (members, b or 1, groups, classes) and (b, groups, classes).

        Beside what a filter returns: prior and posterior (b, groups, classes), and how the object moved (b, 2) [m] by what the
        variables say afterwards.
        """
        latent = mean[None]
        drive = self.drive(latent, action)
        memory = self.cell.advance(latent[..., self.memory], latent[..., self.variables], drive)
        prior = self.cell.prior(memory)
        foreseen = sample(prior, prior_noise)  # (members, b, groups * classes)
        latents, predictive = self.outcome(latent, action, drive, memory, foreseen)
        place, place_variance, predicted, predicted_variance, surprise = self.belief(
            latents[..., PLACE], predictive, variance[:, PLACE], embedding[:, SEEN], proprio
        )
        visible = torch.sigmoid(embedding[:, VISIBLE])
        innovation = visible * symlog((embedding[:, OBJECT] - predicted) / INNOVATION_SCALE)
        seen = torch.cat([embedding[:, FEATURES], innovation, visible], -1)
        # What is unseen stays as the memory has it.
        memory, prior, shown = memory[0], prior[0], visible[..., None]
        posterior = shown * self.cell.posterior(memory, seen) + (1 - shown) * prior
        variables = sample(posterior, posterior_noise)
        explained, _ = self.outcome(latent, action, drive, memory[None], variables[None])
        doubt = torch.cat([torch.full_like(memory, KNOWN_VARIANCE), (posterior * (1 - posterior)).flatten(-2)], -1)
        return (
            torch.cat([place, memory, variables], -1),
            torch.cat([place_variance, doubt], -1),
            predicted,
            predicted_variance,
            surprise,
            prior,
            posterior,
            explained[0, :, OBJECT] - mean[:, OBJECT],
        )

    # -- graphs --------------------------------------------------------------------------------------------------

    def filter(
        self, mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The belief keeps the most probable variables; what is predicted before is the members' mean."""
        mean, variance, predicted, predicted_variance, surprise, *_ = self.update(
            mean, variance, action, embedding, proprio, self.noise[:, 0], 0.0
        )
        return mean, variance, predicted, predicted_variance, surprise
