"""Training of the grounded family: everything from images with labels, then belief and dynamics on sequences."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from wm_learning.families.base import FEATURES, OBJECT, VISIBILITY
from wm_learning.families.grounded.dynamics import CODE
from wm_learning.families.grounded.model import GroundedModel
from wm_learning.families.parts import latent_of
from wm_learning.families.seeing import seeing_loss
from wm_learning.families.training import Training
from wm_learning.training.losses import gaussian_nll, millimetres, position_loss, weighted_mean
from wm_learning.training.trainer import Draw


class GroundedTraining(Training):
    model: GroundedModel

    def sequence_parameters(self) -> Iterable[nn.Parameter]:
        return [*self.model.belief.parameters(), *self.model.dynamics.parameters()]

    def image_loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Seeing at two instants, predicting from the first to all later ones, drawing both."""
        model, horizon = self.model, self.images.horizon
        first = np.sort(draw.rng.choice(self.image_starts, self.images.batch))
        later = first + draw.rng.integers(1, horizon + 1, self.images.batch)
        view = self.look(draw, np.stack([first, later], 1))
        first, later = draw.mine(first), draw.mine(later)
        batch = len(first)
        embedding = model.encoder(view.maps)
        weight = 0.02 + view.share.clamp(max=1)
        see = seeing_loss(model.encoder, view.object, weight)

        # Dynamics start from what was seen, when it was seen; otherwise from the label.
        seen = (view.share[:batch] > 0.5).float()[:, None]
        start = seen * embedding[:batch, OBJECT] + (1 - seen) * view.object[:batch]
        latent = latent_of(start, self.proprio(first), embedding[:batch, FEATURES])
        following = first[:, None] + 1 + np.arange(horizon)
        latents, variances = model.dynamics.rollout(latent[None], self.actions(following))
        predict, spread, error = self._predict_loss(latents, variances, following)

        chosen = latents[:, torch.arange(batch), torch.from_numpy(later - first - 1)]
        aim = embedding[batch:, FEATURES].detach()
        both_seen = view.share[batch:] * seen[:, 0]
        consistent = weighted_mean(((chosen[..., CODE] - aim) ** 2).mean((0, 2)), both_seen)
        codes = torch.cat([embedding[:batch, FEATURES], chosen[:, :, CODE].mean(0)])
        picture = self.picture_loss(view, codes, torch.cat([seen[:, 0], both_seen]))

        loss = see + self.certainty_loss(embedding, view) + predict + 0.3 * spread + 0.3 * consistent + 20 * picture
        report = {
            "see": millimetres((embedding[:, OBJECT] - view.object)[view.share > 0.5]),
            "predict": millimetres(error[:, :, -1]),
            "code": consistent.item(),
            "picture": picture.item(),
        }
        return loss, report

    def sequence_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Filter through the first observations, then predict from the belief."""
        model = self.model
        filtered = torch.zeros((), device=draw.device)
        for now in self.filtered(draw, starts):
            off = now.mean[:, OBJECT] - now.object
            filtered = (
                filtered
                + position_loss(off).clamp(max=20).mean()
                + 0.3 * gaussian_nll(off, now.variance[:, OBJECT]).clamp(max=50).mean()
            )
        following = self.following(now.steps)
        latents, variances = model.dynamics.rollout(now.mean[None], self.actions(following))
        predict, spread, error = self._predict_loss(latents, variances + now.variance[:, None, OBJECT], following)
        aim = draw.tensor(self.embeddings[0, following[:, -1]])
        code = ((latents[:, :, -1, CODE] - aim[:, FEATURES]) ** 2).mean((0, 2))
        consistent = weighted_mean(code, torch.sigmoid(aim[:, VISIBILITY]))
        loss = 0.2 * filtered / self.sequences.burn_in + predict + 0.3 * spread + 0.1 * consistent
        report = {
            "filter": millimetres(off),
            "predict": millimetres(error[:, :, -1]),
            "code": consistent.item(),
        }
        return loss, report

    def _predict_loss(self, latents: Tensor, variances: Tensor, following: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Losses of predicted positions and of their variance, object errors (members, b, H, 2); each member learns from everything."""
        error = latents[..., OBJECT] - self.object(following)
        predict = position_loss(error).mean() + self.tool_loss(latents, following)
        return predict, gaussian_nll(error, variances).mean(), error
