"""Training of the grounded family in two phases.

1. Joint: encoder, dynamics and decoder from images, with a multi-step prediction loss through the dynamics.
2. Sequence: belief filter and dynamics on sequences of the trained encoder's embeddings, with cameras lost and the object
   hidden at random, longer horizon and larger batches (images are not needed again, so a step is cheap).
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wm_core.bundle import HIDDEN_LOGIT, VISIBILITY
from wm_learning.augment import augment, fuse_maps, visible_share
from wm_learning.dataset import Dataset
from wm_learning.embeddings import embed, maps_of
from wm_learning.families.base import LAG, OBJECT, TOOL
from wm_learning.families.grounded.dynamics import CODE
from wm_learning.losses import gaussian_nll, millimetres, position_loss, weighted_mean
from wm_learning.training.trainer import Draw, Phase

if TYPE_CHECKING:
    from wm_learning.families.grounded.model import GroundedModel

HELD_OUT = 1024  # windows of the held-out loss


class GroundedTraining:
    """The losses of both phases over one dataset."""

    def __init__(self, model: "GroundedModel", data: Dataset, episodes: np.ndarray, held_out: np.ndarray) -> None:
        self.model, self.data = model, data
        joint, sequence = model.config.joint, model.config.sequence
        self._joint_starts = data.windows(joint.horizon + 1, episodes)
        length = sequence.burn_in + sequence.horizon + 1
        self._starts, self._held_out = data.windows(length, episodes), data.windows(length, held_out)
        self._embeddings = torch.empty(0)

    def phases(self) -> list[Phase]:
        joint, sequence = self.model.config.joint, self.model.config.sequence
        return [
            Phase("joint", joint.steps, joint.rate, self.joint_loss, list(self.model.parameters())),
            Phase(
                "sequence",
                sequence.steps,
                sequence.rate,
                lambda draw: self.sequence_loss(draw, draw.rng.choice(self._starts, sequence.batch)),
                list(self.model.belief.parameters()),  # include the dynamics'
                prepare=self._embed,
                validate=self._held_out_loss if len(self._held_out) else None,
                validate_every=sequence.validate_every,
                patience=sequence.patience,
            ),
        ]

    def _embed(self) -> None:
        self._embeddings = embed(self.model, self.data)

    def _held_out_loss(self) -> float:
        draw = Draw((0,), device=self._device)
        starts = draw.rng.choice(self._held_out, HELD_OUT)
        return self.sequence_loss(draw, starts)[0].item()

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    # -- joint ---------------------------------------------------------------------------------------------------

    def joint_loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Seeing at two instants, predicting from the first to all later ones, drawing both."""
        model, data, config = self.model, self.data, self.model.config.joint
        horizon = config.horizon
        first = np.sort(draw.rng.choice(self._joint_starts, config.batch))
        later = first + draw.rng.integers(1, horizon + 1, config.batch)
        fused, full, truth, share = self._look(draw, first, later)
        first, later = draw.mine(first), draw.mine(later)
        batch = len(first)
        embedding = model.encoder(fused)
        weight = 0.02 + share.clamp(max=1)
        coarse, second, position = model.encoder.positions
        see = sum(weighted_mean(position_loss(p - truth), weight) for p in (coarse, second, position))
        heat = -(model.encoder.heat_target(truth) * F.log_softmax(model.encoder.heat_map, 1)).sum(1)
        noise = gaussian_nll(position - truth, torch.exp(embedding[:, 2:4])).mean()
        visible = F.binary_cross_entropy_with_logits(embedding[:, VISIBILITY], (share > 0.25).float())

        latent = model.latent_of(embedding[:batch], self._proprio(first))
        # Dynamics start from what was seen, when it was seen; otherwise from the label.
        seen = (share[:batch] > 0.5).float()[:, None]
        latent = torch.cat([seen * latent[:, OBJECT] + (1 - seen) * truth[:batch], latent[:, 2:]], 1)
        actions = self._tensor(data.action[first[:, None] + np.arange(horizon)])
        latents, variances = model.dynamics.rollout(latent.expand(model.sizes.members, -1, -1), actions)
        predict, spread = self._rollout_loss(latents, variances, first, horizon)

        chosen = latents[:, torch.arange(batch), torch.from_numpy(later - first - 1)]
        aim = embedding[batch:, 5:].detach()
        both_seen = share[batch:] * seen[:, 0]
        consistent = weighted_mean(((chosen[..., CODE] - aim) ** 2).mean((0, 2)), both_seen)

        codes = torch.cat([embedding[:batch, 5:], chosen[:, :, CODE].mean(0)])
        drawn = model.decoder.canvas(truth, codes)
        near = torch.norm(model.decoder.cells[None] - truth[:, None, None], dim=-1) < 0.09
        mask = full[:, 4:5] * (0.05 + near[:, None].float()) * torch.cat([seen[:, 0], both_seen])[:, None, None, None]
        picture = weighted_mean((drawn - full[:, 1:4]) ** 2, mask.expand_as(drawn))

        loss = (
            see
            + weighted_mean(heat, weight)
            + 0.3 * noise
            + visible
            + predict
            + 0.3 * spread
            + 0.3 * consistent
            + 20 * picture
        )
        report = {
            "see": millimetres((position - truth)[share > 0.5]),
            "predict": millimetres((latents[..., OBJECT] - self._future(first, horizon))[:, :, -1]),
            "visible": visible.item(),
            "code": consistent.item(),
            "picture": picture.item(),
        }
        return loss, report

    def _look(self, draw: Draw, first: np.ndarray, later: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Augmented and full maps (2b, ...), object (2b, 2) and its visible share (2b,) at both instants, of this process's part."""
        parts: list[list[Tensor]] = [[], [], [], []]
        cells = self.model.decoder.cells.cpu()
        for steps in (first, later):
            maps = maps_of(self.data, steps)
            truth = torch.from_numpy(self.data.object[steps, :2])
            fused, full = augment(maps, truth, cells, draw.generator), fuse_maps(maps)
            share = visible_share(fused, full, truth, cells, self.model.bev.z_max)
            for part, values in zip(parts, (fused, full, truth, share), strict=True):
                part.append(draw.tensor(draw.mine(values)))
        fused, full, truth, share = (torch.cat(part) for part in parts)
        return fused, full, truth, share

    # -- sequence ------------------------------------------------------------------------------------------------

    def sequence_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Filter through `burn_in` observations from `starts` (b,), then predict `horizon` steps from the belief."""
        model, config, rng = self.model, self.model.config.sequence, draw.rng
        views = len(self._embeddings)
        view = draw.mine(rng.choice(views, len(starts), p=[0.6] + [0.4 / (views - 1)] * (views - 1)))
        hidden_from = draw.mine(rng.integers(1, config.burn_in + 8, len(starts)))
        hidden_for = draw.mine(rng.integers(1, config.burn_in + 1, len(starts)))
        starts = draw.mine(starts)
        batch = len(starts)
        mean, variance = (draw.tensor(value).expand(batch, -1) for value in model.initial())
        filtered = torch.zeros((), device=draw.device)
        for t in range(config.burn_in):
            now = starts + t
            seen = self._embeddings[view, now].clone()
            seen[torch.from_numpy((t >= hidden_from) & (t < hidden_from + hidden_for)), VISIBILITY] = HIDDEN_LOGIT
            action = self.data.action[now - 1] if t else np.zeros((batch, 2), np.float32)
            mean, variance, _, _, _ = model.filter(
                mean, variance, self._tensor(action), draw.tensor(seen), self._proprio(now)
            )
            error = mean[:, OBJECT] - self._tensor(self.data.object[now, :2])
            filtered = (
                filtered
                + position_loss(error).clamp(max=20).mean()
                + 0.3 * gaussian_nll(error, variance[:, OBJECT]).clamp(max=50).mean()
            )
        now = starts + config.burn_in - 1
        actions = self._tensor(self.data.action[now[:, None] + np.arange(config.horizon)])
        latents, variances = model.dynamics.rollout(mean.expand(model.sizes.members, -1, -1), actions)
        predict, spread = self._rollout_loss(latents, variances + variance[:, None, OBJECT], now, config.horizon)
        aim = draw.tensor(self._embeddings[0, now + config.horizon])
        code = ((latents[:, :, -1, CODE] - aim[:, 5:]) ** 2).mean((0, 2))
        consistent = weighted_mean(code, torch.sigmoid(aim[:, VISIBILITY]))
        loss = 0.2 * filtered / config.burn_in + predict + 0.3 * spread + 0.1 * consistent
        report = {
            "filter": millimetres(error),
            "predict": millimetres((latents[..., OBJECT] - self._future(now, config.horizon))[:, :, -1]),
            "code": consistent.item(),
        }
        return loss, report

    # -- shared --------------------------------------------------------------------------------------------------

    def _rollout_loss(
        self, latents: Tensor, variances: Tensor, start: np.ndarray, horizon: int
    ) -> tuple[Tensor, Tensor]:
        """Multi-step loss of predicted object and tool against what happened; every member is trained on every sequence."""
        steps = start[:, None] + 1 + np.arange(horizon)
        error = latents[..., OBJECT] - self._future(start, horizon)
        tool = latents[..., TOOL] - self._tensor(self.data.tool[steps])
        lag = latents[..., LAG] - self._tensor(self.data.target[steps] - self.data.tool[steps])
        predict = position_loss(error).mean() + position_loss(tool, 0.005).mean() + position_loss(lag, 0.005).mean()
        return predict, gaussian_nll(error, variances).mean()

    def _future(self, start: np.ndarray, horizon: int) -> Tensor:
        return self._tensor(self.data.object[start[:, None] + 1 + np.arange(horizon), :2])

    def _proprio(self, steps: np.ndarray) -> Tensor:
        return self._tensor(np.concatenate([self.data.tool[steps], self.data.target[steps]], 1))

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)
