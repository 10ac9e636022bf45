"""Training of a macro predictor: from recorded beliefs through several jumps to what is known of their ends.

Recorded: labels and beliefs at the ends. Imagined: what the bundle's own rollouts say of other actions, member by member, of
which there is as much as one wants (Hinton et al. 2015, "Distilling the knowledge in a neural network"); without it a jump
overfits, and knows nothing of plans that nobody has explored.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wm_core.bundle import Bundle
from wm_data.dataset import Dataset
from wm_dynamics.rollout import RolloutEngine
from wm_learning.families.base import LAG, OBJECT, STATE, TOOL
from wm_learning.macro.network import JumpDynamics
from wm_learning.training.losses import gaussian_nll, millimetres, position_loss
from wm_learning.training.trainer import Draw, Phase

BURN_IN = 6  # observations before a belief to jump from
HELD_OUT = 2048  # windows of the held-out loss
STILL = 0.3  # share of imagined actions that are not variations of recorded ones
VARIED = 0.5  # standard deviation of what is added to the actions of each jump


@dataclass(frozen=True)
class MacroSettings:
    """Settings of a macro predictor's training."""

    k: int = 4  # steps of one jump
    jumps: int = 3  # of one call of the exported graph
    chain: int = 6  # jumps in a row in training, or as many as the episodes have
    hidden: int = 96
    updates: int = 2500
    batch: int = 64  # recorded chains
    imagined: int = 128  # imagined chains beside them
    rate: float = 2e-3
    validate_every: int = 500
    patience: int = 6  # validations
    seed: int = 0
    threads: int = 1
    checkpoint_s: float = 60.0  # [s] of work that a kill may cost


@dataclass(frozen=True)
class Chains:
    """Jumps in a row that begin `lead` steps after a belief; until there the bundle's rollout imagines, as in the planner."""

    lead: int
    jumps: int
    starts: np.ndarray  # (n,) steps of the dataset with the beliefs, of training
    held_out: np.ndarray  # (m,) and of the held-out episodes


class MacroTraining:
    """The loss of one model over one dataset; `means`, `variances` (T, L): beliefs at its steps."""

    def __init__(
        self,
        model: JumpDynamics,
        bundle: Bundle,
        data: Dataset,
        means: np.ndarray,
        variances: np.ndarray,
        settings: MacroSettings,
        episodes: np.ndarray,
        held_out: np.ndarray,
    ) -> None:
        """`episodes`, `held_out`: episode numbers to train on and to stop early by. Raises ValueError when they are too short."""
        self.model, self.data, self.settings = model, data, settings
        self._engine = RolloutEngine(bundle)
        self._means, self._variances = torch.from_numpy(means), torch.from_numpy(variances)
        longest = int(np.bincount(data.episode).max()) - BURN_IN - 1
        if longest < settings.k:
            raise ValueError(
                f"expected episodes of more than {BURN_IN + settings.k} steps for jumps of k={settings.k}, the longest has"
                f" {longest + BURN_IN + 1}; choose a smaller k"
            )
        self._chains = []
        for lead in (0, bundle.horizon):
            if (jumps := min(settings.chain, (longest - lead) // settings.k)) > 0:
                length = BURN_IN + lead + jumps * settings.k + 1
                starts = (data.windows(length, some) + BURN_IN for some in (episodes, held_out))
                self._chains.append(Chains(lead, jumps, *starts))
        states = self._means[torch.from_numpy(np.isin(data.episode, episodes))][:, STATE]
        model.mean.copy_(states.mean(0))
        model.spread.copy_(states.std(0).clamp(min=1e-3))

    def phases(self) -> list[Phase]:
        settings = self.settings
        return [
            Phase(
                "jumps",
                settings.updates,
                settings.rate,
                self.loss,
                list(self.model.parameters()),
                validate=self.held_out_loss if all(len(chains.held_out) for chains in self._chains) else None,
                validate_every=settings.validate_every,
                patience=settings.patience,
            )
        ]

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch, and numbers to report of the last chains."""
        total, share = torch.zeros((), device=draw.device), len(self._chains)
        report: dict[str, float] = {}
        for chains in self._chains:
            starts = draw.rng.choice(chains.starts, (self.settings.batch + self.settings.imagined) // share)
            recorded, report = self.recorded_loss(draw, chains, starts[: self.settings.batch // share])
            imagined = self.imagined_loss(draw, chains, starts[self.settings.batch // share :])
            total = total + (recorded + imagined) / share
            report |= {"imagined": imagined.item()}
        return total, report

    def recorded_loss(self, draw: Draw, chains: Chains, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Loss of recorded chains from the beliefs at `starts` (b,), and numbers to report."""
        model, k, data, lead = self.model, self.settings.k, self.data, chains.lead
        starts = draw.mine(starts)
        ends = starts[:, None] + lead + k * np.arange(1, chains.jumps + 1)
        actions = data.action[starts[:, None] + np.arange(lead + k * chains.jumps)]
        begin, doubt = self._begin(starts, actions[:, :lead])
        latents, variances = model.jump(draw.tensor(begin), draw.tensor(actions[:, lead:]))
        error = latents[..., OBJECT] - draw.tensor(data.object_xy[ends])
        tool = latents[..., TOOL] - draw.tensor(data.tool_xy[ends])
        lag = latents[..., LAG] - draw.tensor(data.target_xy[ends] - data.tool_xy[ends])
        state = (latents[..., STATE] - draw.tensor(self._means[ends])[..., STATE]) / model.spread
        wide = variances + draw.tensor(doubt)[:, :, None]
        drift = (state**2).mean()
        loss = (
            position_loss(error).mean()
            + position_loss(tool, 0.005).mean()
            + position_loss(lag, 0.005).mean()
            + 0.3 * gaussian_nll(error, wide).mean()
            + 0.1 * drift
        )
        report = {
            "first": millimetres(error[:, :, 0]),
            "last": millimetres(error[:, :, -1]),
            "tool": millimetres(tool[:, :, -1]),
            "state": drift.item(),
        }
        return loss, report

    def imagined_loss(self, draw: Draw, chains: Chains, starts: np.ndarray) -> Tensor:
        """Loss of chains from the beliefs at `starts` (b,) under other actions: each member does as that of the bundle."""
        k, rng, lead = self.settings.k, draw.rng, chains.lead
        jumps = min(chains.jumps, max(1, self._engine.bundle.horizon // k))  # one call of the rollout graph
        steps = lead + jumps * k
        still = rng.random((len(starts), 1, 1)) < STILL
        varied = np.repeat(rng.normal(0, VARIED, (len(starts), steps // k + 1, 2)), k, axis=1)[:, :steps]
        actions = np.where(still, 0, self.data.action[starts[:, None] + np.arange(steps)]) + varied
        actions /= np.maximum(1, np.linalg.norm(actions, axis=-1, keepdims=True))
        starts, actions = draw.mine(starts), draw.mine(actions).astype(np.float32)
        begin, _ = self._begin(starts, actions[:, :lead])
        futures = self._engine.rollout(begin, actions[:, lead:])
        latents, _ = self.model.jump(draw.tensor(begin), draw.tensor(actions[:, lead:]))
        error = latents[..., OBJECT] - draw.tensor(futures.object()[:, :, k - 1 :: k].copy())
        tool = latents[..., TOOL] - draw.tensor(futures.tool_at()[:, :, k - 1 :: k].copy())
        return position_loss(error).mean() + position_loss(tool, 0.005).mean()

    def _begin(self, starts: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latents (1 or members, b, L) and object variances (.., b, 2) after actions (b, lead, 2) from the beliefs at `starts` (b,)."""
        latents, doubt = self._means[starts].numpy()[None], self._variances[starts, OBJECT].numpy()[None]
        if not actions.shape[1]:
            return latents, doubt
        futures = self._engine.rollout(latents, actions)
        return futures.final.copy(), futures.variance[:, :, -1] + doubt

    def held_out_loss(self) -> float:
        """Loss of recorded chains of the held-out episodes."""
        draw = Draw((0,), device=next(self.model.parameters()).device)
        count = HELD_OUT // len(self._chains)
        losses = [
            self.recorded_loss(draw, chains, draw.rng.choice(chains.held_out, count))[0] for chains in self._chains
        ]
        return torch.stack(losses).mean().item()
