"""Training of the jepa family in two phases.

1. Represent: encoder and predictor from maps, without labels: the prediction of each later step must meet its embedding.
   Probes learn beside them what can be read in the state; their gradients stop at it.
2. Predict: with the encoder fixed, the predictor learns longer horizons on embeddings, and the belief filter to carry the
   state over what is not seen.
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
from wm_learning.families.base import LAG, OBJECT, STATE, TOOL
from wm_learning.families.jepa.sigreg import sigreg
from wm_learning.losses import gaussian_nll, millimetres, position_loss, weighted_mean
from wm_learning.training.trainer import Draw, Phase

if TYPE_CHECKING:
    from wm_learning.families.jepa.model import JepaModel

HELD_OUT = 1024  # windows of the held-out loss


class JepaTraining:
    """The losses of both phases over one dataset."""

    def __init__(self, model: "JepaModel", data: Dataset, episodes: np.ndarray, held_out: np.ndarray) -> None:
        self.model, self.data = model, data
        represent, predict = model.config.represent, model.config.predict
        self._first_starts = data.windows(represent.horizon + 1, episodes)
        length = predict.burn_in + predict.horizon + 1
        self._starts, self._held_out = data.windows(length, episodes), data.windows(length, held_out)
        self._embeddings = torch.empty(0)

    def phases(self) -> list[Phase]:
        model, represent, predict = self.model, self.model.config.represent, self.model.config.predict
        later = [*model.predictor.parameters(), *model.probe.parameters(), *model.memory.parameters()]
        return [
            Phase("represent", represent.steps, represent.rate, self.represent_loss, list(model.parameters())),
            Phase(
                "predict",
                predict.steps,
                predict.rate,
                lambda draw: self.predict_loss(draw, draw.rng.choice(self._starts, predict.batch)),
                later,
                prepare=self._embed,
                validate=self._held_out_loss if len(self._held_out) else None,
                validate_every=predict.validate_every,
                patience=predict.patience,
            ),
        ]

    def _embed(self) -> None:
        self._embeddings = embed(self.model, self.data)

    def _held_out_loss(self) -> float:
        draw = Draw((0,), device=self._device)
        return self.predict_loss(draw, draw.rng.choice(self._held_out, HELD_OUT))[0].item()

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    # -- represent -----------------------------------------------------------------------------------------------

    def represent_loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Predict the embeddings of all steps of a window from its first; SIGReg on all of them; probes beside."""
        model, config = self.model, self.model.config.represent
        first = draw.rng.choice(self._first_starts, config.batch)
        window = first[:, None] + np.arange(config.horizon + 1)
        maps, full, truth, share = self._look(draw, window)
        first, window = draw.mine(first), draw.mine(window)
        batch, length = window.shape
        states = model.encoder(maps)
        regulariser = sigreg(states, draw.generator)
        states = states.view(length, batch, -1)  # step by step

        latents, _ = model.imagine(self._start(states[0], first), self._tensor(self.data.action[window[:, :-1]]))
        aim = states[1:].permute(1, 0, 2)  # (b, H, S)
        predict = ((latents[..., STATE] - aim[None]) ** 2).mean()
        motion = self._tool_loss(latents, first, config.horizon)

        embedding = model.embedding_of(states.reshape(batch * length, -1).detach())
        error = embedding[:, OBJECT] - truth
        weight = 0.02 + share.clamp(max=1)
        see = weighted_mean(position_loss(error), weight)
        noise = gaussian_nll(error, torch.exp(embedding[:, 2:4])).mean()
        visible = F.binary_cross_entropy_with_logits(embedding[:, VISIBILITY], (share > 0.25).float())
        drawn = model.decoder.canvas(truth, embedding[:, 5:])
        near = torch.norm(model.decoder.cells[None] - truth[:, None, None], dim=-1) < 0.09
        mask = full[:, 4:5] * (0.05 + near[:, None].float()) * share[:, None, None, None]
        picture = weighted_mean((drawn - full[:, 1:4]) ** 2, mask.expand_as(drawn))

        loss = predict + config.regulariser * regulariser + motion + see + 0.3 * noise + visible + 20 * picture
        report = {
            "predict": predict.item(),
            "sigreg": regulariser.item(),
            "see": millimetres(error[share > 0.5]),
            "visible": visible.item(),
            "picture": picture.item(),
        }
        return loss, report

    def _look(self, draw: Draw, window: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Augmented and full maps, object and visible share of this process's windows, all first steps first: (length * b, ...)."""
        parts: list[list[Tensor]] = [[], [], [], []]
        cells = self.model.decoder.cells.cpu()
        for steps in window.T:
            maps = maps_of(self.data, steps)
            truth = torch.from_numpy(self.data.object[steps, :2])
            full = fuse_maps(maps)
            seen = augment(maps, truth, cells, draw.generator)
            share = visible_share(seen, full, truth, cells, self.model.bev.z_max)
            for part, values in zip(parts, (seen, full, truth, share), strict=True):
                part.append(draw.tensor(draw.mine(values)))
        seen, full, truth, share = (torch.cat(part) for part in parts)
        return seen, full, truth, share

    def _start(self, state: Tensor, steps: np.ndarray) -> Tensor:
        """Latents (1, b, L) of single embeddings, without memory."""
        proprio = self._proprio(steps)
        tool, target = proprio[:, 0:2], proprio[:, 2:4]
        place = self._tensor(self.data.object[steps, :2])
        return torch.cat([place, tool, target - tool, state], -1)[None]

    # -- predict -------------------------------------------------------------------------------------------------

    def predict_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Filter through `burn_in` embeddings from `starts` (b,), then predict `horizon` steps from the belief."""
        model, config, rng = self.model, self.model.config.predict, draw.rng
        views = len(self._embeddings)
        view = draw.mine(rng.choice(views, len(starts), p=[0.6] + [0.4 / (views - 1)] * (views - 1)))
        hidden_from = draw.mine(rng.integers(1, config.burn_in + 8, len(starts)))
        hidden_for = draw.mine(rng.integers(1, config.burn_in + 1, len(starts)))
        starts = draw.mine(starts)
        batch = len(starts)
        mean, variance = (draw.tensor(value).expand(batch, -1) for value in model.initial())
        carried = read = torch.zeros((), device=draw.device)
        for t in range(config.burn_in):
            now = starts + t
            cached = draw.tensor(self._embeddings[view, now])
            seen = model.embedding_of(cached[:, 5:])  # the probe goes on learning
            truth = self._object(now)
            visible = torch.sigmoid(cached[:, VISIBILITY])
            look = seen[:, OBJECT] - truth
            read = read + weighted_mean(position_loss(look), visible)
            read = read + 0.3 * weighted_mean(gaussian_nll(look, torch.exp(seen[:, 2:4])), visible)
            hide = torch.from_numpy((t >= hidden_from) & (t < hidden_from + hidden_for)).to(draw.device)
            logit = torch.where(hide, HIDDEN_LOGIT, cached[:, VISIBILITY])[:, None]
            seen = torch.cat([seen[:, :VISIBILITY], logit, seen[:, VISIBILITY + 1 :]], 1)
            action = self.data.action[now - 1] if t else np.zeros((batch, 2), np.float32)
            mean, variance, _, _, _ = model.filter(mean, variance, self._tensor(action), seen, self._proprio(now))
            aim = draw.tensor(self._embeddings[0, now])
            error = mean[:, OBJECT] - truth
            state = ((mean[:, STATE] - aim[:, 5:]) ** 2).mean(-1)
            carried = carried + weighted_mean(state, torch.sigmoid(aim[:, VISIBILITY]))
            carried = carried + 0.3 * gaussian_nll(error, variance[:, OBJECT]).clamp(max=50).mean()
            carried = carried + position_loss(error).clamp(max=20).mean()
        now = starts + config.burn_in - 1
        steps = now[:, None] + 1 + np.arange(config.horizon)
        actions = self._tensor(self.data.action[now[:, None] + np.arange(config.horizon)])
        latents, variances = model.imagine(mean[None], actions)
        aim = draw.tensor(self._embeddings[0][torch.from_numpy(steps)])
        weight = torch.sigmoid(aim[..., VISIBILITY])[None].expand(model.sizes.members, -1, -1)
        predict = weighted_mean(((latents[..., STATE] - aim[None, ..., 5:]) ** 2).mean(-1), weight)
        error = latents[..., OBJECT] - self._tensor(self.data.object[steps, :2])
        spread = gaussian_nll(error, variances + variance[:, None, OBJECT]).mean()
        loss = (
            (0.2 * carried + read) / config.burn_in
            + predict
            + position_loss(error).mean()
            + self._tool_loss(latents, now, config.horizon)
            + 0.3 * spread
        )
        report = {"state": predict.item(), "filter": millimetres(mean[:, OBJECT] - self._object(now))}
        return loss, {**report, "predict": millimetres(error[:, :, -1])}

    # -- shared --------------------------------------------------------------------------------------------------

    def _tool_loss(self, latents: Tensor, start: np.ndarray, horizon: int) -> Tensor:
        """What the joints will say of the tool is known to every robot: no label."""
        steps = start[:, None] + 1 + np.arange(horizon)
        tool = latents[..., TOOL] - self._tensor(self.data.tool[steps])
        lag = latents[..., LAG] - self._tensor(self.data.target[steps] - self.data.tool[steps])
        return position_loss(tool, 0.005).mean() + position_loss(lag, 0.005).mean()

    def _object(self, steps: np.ndarray) -> Tensor:
        return self._tensor(self.data.object[steps, :2])

    def _proprio(self, steps: np.ndarray) -> Tensor:
        return self._tensor(np.concatenate([self.data.tool[steps], self.data.target[steps]], 1))

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)
