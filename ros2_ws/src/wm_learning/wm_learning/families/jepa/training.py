"""Training of the jepa family.

First from maps without labels: the prediction of each later step must meet its embedding; probes learn beside it what can be
read in the state, and their gradients stop at it. Then, with the encoder fixed, longer horizons on embeddings.
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from wm_learning.families.base import FEATURES, LOG_VARIANCE, OBJECT, STATE, VISIBILITY
from wm_learning.families.jepa.model import JepaModel
from wm_learning.families.jepa.sigreg import sigreg
from wm_learning.families.parts import latent_of
from wm_learning.families.training import Training
from wm_learning.training.losses import gaussian_nll, millimetres, position_loss, weighted_mean
from wm_learning.training.trainer import Draw


class JepaTraining(Training):
    model: JepaModel

    def sequence_parameters(self) -> Iterable[nn.Parameter]:
        model = self.model
        parts = (model.predictor, model.probe, model.motion_probe, model.belief)
        return [parameter for part in parts for parameter in part.parameters()]

    def image_loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Predict the embeddings of all steps of a window from its first; SIGReg on all of them; probes beside."""
        model, images = self.model, self.images
        first = draw.rng.choice(self.image_starts, images.batch)
        window = first[:, None] + np.arange(images.horizon + 1)
        view = self.look(draw, window)
        window = draw.mine(window)
        batch, length = window.shape
        states = model.encoder(view.maps)
        regulariser = sigreg(states, draw.generator)

        by_step = states.view(length, batch, -1)
        start = latent_of(view.object[:batch], self.proprio(window[:, 0]), by_step[0])
        following = window[:, 1:]
        latents, _ = model.imagine(start[None], self.actions(following))
        predict = ((latents[..., STATE] - by_step[1:].permute(1, 0, 2)[None]) ** 2).mean()

        embedding = model.embedding_of(states.detach())
        error = embedding[:, OBJECT] - view.object
        see = weighted_mean(position_loss(error), 0.02 + view.share.clamp(max=1))
        picture = self.picture_loss(view.first(batch), embedding[:batch, FEATURES], view.share[:batch])

        loss = (
            predict
            + model.config.regulariser * regulariser
            + self.tool_loss(latents, following)
            + see
            + self.certainty_loss(embedding, view)
            + 20 * picture
        )
        report = {
            "predict": predict.item(),
            "sigreg": regulariser.item(),
            "see": millimetres(error[view.share > 0.5]),
            "picture": picture.item(),
        }
        return loss, report

    def read(self, cached: Tensor) -> Tensor:
        return self.model.embedding_of(cached[:, FEATURES])

    def sequence_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Filter through the first embeddings, then predict from the belief."""
        model = self.model
        carried = read = torch.zeros((), device=draw.device)
        for now in self.filtered(draw, starts):
            visible = torch.sigmoid(now.cached[:, VISIBILITY])
            look = now.embedding[:, OBJECT] - now.object
            read = read + weighted_mean(position_loss(look), visible)
            read = read + 0.3 * weighted_mean(gaussian_nll(look, torch.exp(now.embedding[:, LOG_VARIANCE])), visible)
            aim = draw.tensor(self.embeddings[0, now.steps])
            off = now.mean[:, OBJECT] - now.object
            state = ((now.mean[:, STATE] - aim[:, FEATURES]) ** 2).mean(-1)
            carried = carried + weighted_mean(state, torch.sigmoid(aim[:, VISIBILITY]))
            carried = carried + 0.3 * gaussian_nll(off, now.variance[:, OBJECT]).clamp(max=50).mean()
            carried = carried + position_loss(off).clamp(max=20).mean()
        following = self.following(now.steps)
        latents, variances = model.imagine(now.mean[None], self.actions(following))
        aim = draw.tensor(self.embeddings[0][torch.from_numpy(following)])
        weight = torch.sigmoid(aim[..., VISIBILITY])[None].expand(model.sizes.members, -1, -1)
        predict = weighted_mean(((latents[..., STATE] - aim[None, ..., FEATURES]) ** 2).mean(-1), weight)
        error = latents[..., OBJECT] - self.object(following)
        spread = gaussian_nll(error, variances + now.variance[:, None, OBJECT]).mean()
        loss = (
            (0.2 * carried + read) / self.sequences.burn_in
            + predict
            + position_loss(error).mean()
            + self.tool_loss(latents, following)
            + 0.3 * spread
        )
        report = {"state": predict.item(), "filter": millimetres(off), "predict": millimetres(error[:, :, -1])}
        return loss, report
