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
from wm_dynamics.rollout import RolloutEngine
from wm_learning.dataset import Dataset
from wm_learning.families.base import LAG, OBJECT, STATE, TOOL
from wm_learning.losses import gaussian_nll, millimetres, position_loss
from wm_learning.macro.network import JumpDynamics
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
    hidden: int = 128
    updates: int = 8000
    batch: int = 128  # recorded chains
    imagined: int = 256  # imagined chains beside them
    rate: float = 2e-3
    validate_every: int = 500
    patience: int = 6  # validations
    seed: int = 0
    threads: int = 1
    checkpoint_s: float = 60.0  # [s] of work that a kill may cost


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
        longest = np.bincount(data.episode).max() - BURN_IN - 1
        self._chain = min(settings.chain, int(longest) // settings.k)
        if self._chain < 1:
            raise ValueError(
                f"expected episodes of more than {BURN_IN + settings.k} steps for jumps of k={settings.k}, the longest has"
                f" {longest + BURN_IN + 1}; choose a smaller k"
            )
        length = BURN_IN + self._chain * settings.k + 1
        self._starts = data.windows(length, episodes) + BURN_IN
        self._held_out = data.windows(length, held_out) + BURN_IN
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
                validate=self.held_out_loss if len(self._held_out) else None,
                validate_every=settings.validate_every,
                patience=settings.patience,
            )
        ]

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch, and numbers to report."""
        recorded, report = self.recorded_loss(draw, draw.rng.choice(self._starts, self.settings.batch))
        imagined = self.imagined_loss(draw, draw.rng.choice(self._starts, self.settings.imagined))
        return recorded + imagined, {**report, "imagined": imagined.item()}

    def recorded_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Loss of the recorded chains of jumps that begin at the steps `starts` (b,), and numbers to report."""
        model, k, data = self.model, self.settings.k, self.data
        starts = draw.mine(starts)
        ends = starts[:, None] + k * np.arange(1, self._chain + 1)
        latents, variances = model.jump(
            draw.tensor(self._means[starts])[None], draw.tensor(self._actions(starts, self._chain))
        )
        error = latents[..., OBJECT] - draw.tensor(data.object[ends, :2])
        tool = latents[..., TOOL] - draw.tensor(data.tool[ends])
        lag = latents[..., LAG] - draw.tensor(data.target[ends] - data.tool[ends])
        state = (latents[..., STATE] - draw.tensor(self._means[ends])[..., STATE]) / model.spread
        wide = variances + draw.tensor(self._variances[starts])[:, None, OBJECT]
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

    def imagined_loss(self, draw: Draw, starts: np.ndarray) -> Tensor:
        """Loss of chains from the beliefs at `starts` (b,) under other actions: each member does as that of the bundle."""
        k, rng = self.settings.k, draw.rng
        jumps = min(
            self._chain, max(1, self._engine.bundle.horizon // k)
        )  # as far as one call of the rollout graph goes
        still = rng.random((len(starts), 1, 1)) < STILL
        varied = np.repeat(rng.normal(0, VARIED, (len(starts), jumps, 2)), k, axis=1)
        actions = np.where(still, 0, self._actions(starts, jumps)) + varied
        actions /= np.maximum(1, np.linalg.norm(actions, axis=-1, keepdims=True))
        starts, actions = draw.mine(starts), draw.mine(actions).astype(np.float32)
        futures = self._engine.rollout(self._means[starts].numpy()[None], actions)
        latents, _ = self.model.jump(draw.tensor(self._means[starts])[None], draw.tensor(actions))
        error = latents[..., OBJECT] - draw.tensor(futures.object[:, :, k - 1 :: k].copy())
        tool = latents[..., TOOL] - draw.tensor(futures.ee[:, :, k - 1 :: k].copy())
        return position_loss(error).mean() + position_loss(tool, 0.005).mean()

    def _actions(self, starts: np.ndarray, jumps: int) -> np.ndarray:
        """Recorded actions (b, jumps k, 2) after the steps `starts` (b,)."""
        return self.data.action[starts[:, None] + np.arange(self.settings.k * jumps)]

    def held_out_loss(self) -> float:
        """Loss of recorded chains of the held-out episodes."""
        draw = Draw((0,), device=next(self.model.parameters()).device)
        return self.recorded_loss(draw, draw.rng.choice(self._held_out, HELD_OUT))[0].item()
