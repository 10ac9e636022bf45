"""Training of the rssm family: the evidence lower bound of short windows of maps, then of sequences of embeddings.

What a state must explain is the looks of the object, how it moved and the picture of the table; prior and posterior meet in
the balanced divergence. On sequences the model also imagines from its belief, and the mean of its samples must come true.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wm_learning.families.base import FEATURES, OBJECT, SEEN, STATE, VISIBILITY
from wm_learning.families.rssm.cell import balanced, divergence, gumbel
from wm_learning.families.rssm.model import RssmModel
from wm_learning.families.seeing import seeing_loss
from wm_learning.families.training import Training, View
from wm_learning.training.augment import fuse_maps
from wm_learning.training.embeddings import maps_of
from wm_learning.training.losses import gaussian_nll, millimetres, position_loss, weighted_mean
from wm_learning.training.trainer import Draw

MOVED_SCALE = 0.005  # [m] unit of the error of the explained motion


class RssmTraining(Training):
    model: RssmModel

    def sequence_parameters(self) -> Iterable[nn.Parameter]:
        model = self.model
        parts = (model.cell, model.motion, model.features, model.belief, model.decoder)
        return [parameter for part in parts for parameter in part.parameters()]

    def image_loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Seeing at all steps of a window, and the evidence of a belief that is carried through them."""
        model, images = self.model, self.images
        first = draw.rng.choice(self.image_starts, images.batch)
        window = first[:, None] + np.arange(images.horizon + 1)
        view = self.look(draw, window)
        believe = self._believer(draw, images.batch)
        window = draw.mine(window)
        batch, length = window.shape
        embedding = model.encode(view.maps)
        weight = 0.02 + view.share.clamp(max=1)
        see = seeing_loss(model.encoder, view.object, weight)

        # The belief shapes what is said of the looks, not where the object is seen.
        place, looks = embedding[:, SEEN].detach(), embedding[:, FEATURES]
        by_step = torch.cat([place, looks], 1).view(length, batch, -1)
        mean, variance = (draw.tensor(value).expand(batch, -1) for value in model.initial())
        action = torch.zeros(batch, 2, device=draw.device)
        beliefs = []
        for steps, seen in zip(window.T, by_step, strict=True):
            mean, variance, *extra = believe(mean, variance, action, seen, self.proprio(steps))
            beliefs.append((mean, *extra[-3:]))
            action = self.tensor(self.data.action[steps])
        means, *extra = (torch.stack(parts) for parts in zip(*beliefs, strict=True))
        evidence, numbers = self._evidence(window.T, means[..., STATE], extra, by_step.detach())
        picture = self.picture_loss(view, means[..., STATE].flatten(0, 1), view.share)
        loss = see + self.certainty_loss(embedding, view) + evidence + 20 * picture
        error = embedding[:, OBJECT] - view.object
        report = {"see": millimetres(error[view.share > 0.5]), **numbers, "picture": picture.item()}
        return loss, report

    def sequence_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Filter through the first embeddings, then predict from the belief."""
        model, horizon = self.model, self.sequences.horizon
        beliefs = list(self.filtered(draw, starts, self._believer(draw, len(starts))))
        now, steps = beliefs[-1], np.stack([then.steps for then in beliefs])  # (burn_in, b)
        means, variances = (torch.stack([getattr(then, name) for then in beliefs]) for name in ("mean", "variance"))
        extra = [torch.stack(parts) for parts in zip(*(then.extra[-3:] for then in beliefs), strict=True)]
        evidence, numbers = self._evidence(steps, means[..., STATE], extra, draw.tensor(self.embeddings[0, steps]))
        off = means[..., OBJECT] - self.object(steps)
        known = gaussian_nll(off, variances[..., OBJECT]).clamp(max=50).mean()
        filtered = position_loss(off).clamp(max=20).mean() + 0.3 * known

        noise = self._noise(draw, len(starts), horizon, model.sizes.members).permute(2, 1, 0, 3, 4)
        following = self.following(now.steps)
        latents, variances = model.imagine(now.mean[None], self.actions(following), noise)
        error = latents[..., OBJECT].mean(0) - self.object(following)
        # Branches may part, as far as the future is open.
        spread = latents[..., OBJECT].var(0, unbiased=False) + variances.mean(0) + now.variance[:, None, OBJECT]
        picture = self._pictures(draw, len(starts), now.steps, torch.cat([now.mean[:, None], latents[0]], 1))
        loss = (
            evidence
            + 0.2 * filtered
            + position_loss(error).mean()
            + self.tool_loss(latents, following)
            + 0.3 * gaussian_nll(error, spread).mean()
            + 20 * picture
        )
        report = {
            "filter": millimetres(off[-1]),
            "predict": millimetres(error[:, -1]),
            **numbers,
            "picture": picture.item(),
        }
        return loss, report

    def _believer(self, draw: Draw, batch: int) -> Callable[..., tuple[Tensor, ...]]:
        """The model's `update` with fresh noise at every call, for this process's part of a batch."""
        members = self.model.sizes.members

        def believe(
            mean: Tensor, variance: Tensor, action: Tensor, embedding: Tensor, proprio: Tensor
        ) -> tuple[Tensor, ...]:
            noise = self._noise(draw, batch, 1, members + 1)[:, 0].transpose(0, 1)
            return self.model.update(mean, variance, action, embedding, proprio, noise[:-1], noise[-1])

        return believe

    def _noise(self, draw: Draw, batch: int, steps: int, samples: int) -> Tensor:
        """Gumbel noise (b, steps, samples, groups, classes)."""
        config = self.model.config
        noise = gumbel(batch, steps, samples, config.groups, config.classes, generator=draw.generator)
        return draw.tensor(draw.mine(noise))

    def _evidence(
        self, steps: np.ndarray, state: Tensor, extra: Sequence[Tensor], aim: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Loss of beliefs at `steps` (T, b) in a row, and numbers to report.

        `state` (T, b, S) must explain the embeddings `aim` (T, b, D); `extra`: prior, posterior and motion of `RssmModel.update`.
        """
        prior, posterior, moved = extra
        balance = self.model.config.balance
        error = (self.model.features(state) - aim[..., FEATURES]) ** 2
        looks = weighted_mean(error.sum(-1), torch.sigmoid(aim[..., VISIBILITY]))
        motion = position_loss(moved[1:] - self.object(steps[1:]) + self.object(steps[:-1]), MOVED_SCALE).mean()
        meet = balanced(posterior, prior, balance.dynamics, balance.representation, balance.free).mean()
        numbers = {"looks": looks.item(), "divergence": divergence(posterior, prior).mean().item()}
        return looks + motion + meet, numbers

    def _pictures(self, draw: Draw, batch: int, steps: np.ndarray, latents: Tensor) -> Tensor:
        """Loss of the table as drawn from some latents (b, 1 + H, L) at `steps` (b,) and after them: half of the pictures are imagined."""
        horizon = self.sequences.horizon
        ahead = draw.mine(draw.rng.integers(horizon + 1, size=batch) * (np.arange(batch) % 2))
        rows = np.flatnonzero(draw.mine(np.arange(batch) < self.model.config.pictures))
        at = steps[rows] + ahead[rows]
        full = fuse_maps(maps_of(self.data, at)).to(self.device)
        visible = torch.sigmoid(draw.tensor(self.embeddings[0, at])[:, VISIBILITY])
        view = View(full, full, self.object(at), visible)
        return self.picture_loss(view, latents[rows, ahead[rows]][:, STATE], visible)
