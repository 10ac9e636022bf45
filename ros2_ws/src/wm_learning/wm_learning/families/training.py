"""What the trainings of all families share: two phases over one dataset.

1. Images: the encoder, and whatever else needs to see, from short windows of maps. Before it the same can be done on video.
2. Sequences: belief filter and dynamics on sequences of the trained encoder's embeddings, with cameras lost and the object
   hidden at random, longer horizons and larger batches (maps are not needed again, so a step is cheap).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wm_data.dataset import Dataset
from wm_data.dataset_files import DatasetError
from wm_learning.families.base import LAG, LOG_VARIANCE, OBJECT, TOOL, VISIBILITY, WorldModel
from wm_learning.families.parts import cell_centres, hide
from wm_learning.families.schedule import Images, Sequences
from wm_learning.families.video import completed
from wm_learning.training.augment import augment, fuse_maps, near_cells, visible_share
from wm_learning.training.embeddings import embed, maps_of
from wm_learning.training.losses import gaussian_nll, position_loss, weighted_mean
from wm_learning.training.trainer import Draw, Phase

HELD_OUT = 1024  # windows of the held-out loss
ALL_CAMERAS = 0.6  # share of sequences that all cameras see; of the others each camera alone
AROUND = 0.09  # [m] around the object where a drawn picture matters most


@dataclass(frozen=True)
class View:
    """What maps show of some instants, window by window's first instants first."""

    maps: Tensor  # (n, 5, rows, columns) augmented
    full: Tensor  # (n, 5, rows, columns) of all cameras
    object: Tensor  # (n, 2) [m]
    share: Tensor  # (n,) of the object that the augmented maps show

    def first(self, count: int) -> "View":
        """The first `count` of them."""
        return View(self.maps[:count], self.full[:count], self.object[:count], self.share[:count])


@dataclass(frozen=True)
class Filtered:
    """One step of the belief filter over a batch of sequences."""

    steps: np.ndarray  # (b,) indices into the dataset
    cached: Tensor  # (b, D) embedding that the filter was given, nothing hidden
    embedding: Tensor  # (b, D) the same as the model reads it now, the object hidden in some
    mean: Tensor  # (b, L)
    variance: Tensor  # (b, L)
    object: Tensor  # (b, 2) where it is [m]
    extra: tuple[Tensor, ...]  # what else the filter returned


class Training(ABC):
    """The losses of both phases over one dataset."""

    model: Any  # a WorldModel with a configuration that has images and sequences

    def __init__(self, model: WorldModel, data: Dataset, episodes: np.ndarray, held_out: np.ndarray) -> None:
        """`episodes`, `held_out`: episode numbers to train on and to stop early by."""
        self.model, self.data = model, data
        self.images: Images = model.config.images
        self.sequences: Sequences = model.config.sequences
        self.cells = cell_centres(model.bev)
        length = self.sequences.burn_in + self.sequences.horizon + 1
        self.image_starts = data.windows(self.images.horizon + 1, episodes)
        self._starts, self._held_out = data.windows(length, episodes), data.windows(length, held_out)
        self.embeddings = torch.empty(0)  # (views, T, D), from the second phase on

    @classmethod
    def on_video(cls, model: WorldModel, video: Dataset) -> "Training":
        """The same losses on what can be worked out from video; only the first phase's have what they need."""
        data = completed(video)
        return cls(model, data, np.unique(data.episode), np.empty(0, np.int32))

    @abstractmethod
    def image_loss(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Loss of a batch of the first phase, and numbers to report."""

    @abstractmethod
    def sequence_loss(self, draw: Draw, starts: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """Loss of the sequences that begin at `starts` (b,), and numbers to report."""

    @abstractmethod
    def sequence_parameters(self) -> Iterable[nn.Parameter]:
        """What the second phase trains."""

    def pretraining(self, steps: int) -> list[Phase]:
        """The first phase alone, under another name; raises DatasetError when the data has no window for it."""
        if not len(self.image_starts):
            raise DatasetError(
                "expected video in which one object stands on the table, in view of the cameras, for at least"
                f" {self.images.horizon + 1} steps in a row; got none"
            )
        return [Phase("pretrain", steps, self.images.rate, self.image_loss, list(self.model.parameters()))]

    def phases(self) -> list[Phase]:
        images, sequences = self.images, self.sequences
        if not len(self._starts):
            raise DatasetError(
                f"expected episodes of at least {sequences.burn_in + sequences.horizon + 1} steps to train on, got none that long"
            )
        return [
            Phase("images", images.steps, images.rate, self.image_loss, list(self.model.parameters())),
            Phase(
                "sequences",
                sequences.steps,
                sequences.rate,
                lambda draw: self.sequence_loss(draw, draw.rng.choice(self._starts, sequences.batch)),
                list(self.sequence_parameters()),
                prepare=self._embed,
                validate=self._held_out_loss if len(self._held_out) else None,
                validate_every=sequences.validate_every,
                patience=sequences.patience,
            ),
        ]

    def _embed(self) -> None:
        self.embeddings = embed(self.model, self.data)

    def _held_out_loss(self) -> float:
        draw = Draw((0,), device=self.device)
        return self.held_out_loss(draw, draw.rng.choice(self._held_out, HELD_OUT)).item()

    def held_out_loss(self, draw: Draw, starts: np.ndarray) -> Tensor:
        """What decides when to stop."""
        return self.sequence_loss(draw, starts)[0]

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    # -- images --------------------------------------------------------------------------------------------------

    def look(self, draw: Draw, window: np.ndarray) -> View:
        """What is seen at the steps of `window` (b, n), of this process's part of the batch: all first steps first."""
        parts: list[list[Tensor]] = [[], [], [], []]
        for steps in window.T:
            maps = maps_of(self.data, steps)
            truth = torch.from_numpy(self.data.object_xy[steps])
            seen, full = augment(maps, truth, self.cells, draw.generator), fuse_maps(maps)
            share = visible_share(seen, full, truth, self.cells, self.model.bev.z_max)
            for part, values in zip(parts, (seen, full, truth, share), strict=True):
                part.append(draw.tensor(draw.mine(values)))
        return View(*(torch.cat(part) for part in parts))

    def certainty_loss(self, embedding: Tensor, view: View) -> Tensor:
        """How well an embedding knows its own error, and whether it sees the object at all."""
        error = embedding[:, OBJECT] - view.object
        noise = gaussian_nll(error, torch.exp(embedding[:, LOG_VARIANCE])).mean()
        seen = (view.share > 0.25).float()
        return 0.3 * noise + F.binary_cross_entropy_with_logits(embedding[:, VISIBILITY], seen)

    def picture_loss(self, view: View, state: Tensor, weight: Tensor) -> Tensor:
        """Squared error of the table drawn from `state` (n, S) where the object is; `weight` (n,) of each picture."""
        drawn = self.model.decoder.canvas(view.object, state)
        near = near_cells(self.cells.to(self.device), view.object, AROUND)
        mask = view.full[:, 4:5] * (0.05 + near[:, None].float()) * weight[:, None, None, None]
        return weighted_mean((drawn - view.full[:, 1:4]) ** 2, mask.expand_as(drawn))

    # -- sequences -----------------------------------------------------------------------------------------------

    def filtered(
        self, draw: Draw, starts: np.ndarray, update: Callable[..., tuple[Tensor, ...]] | None = None
    ) -> Iterator[Filtered]:
        """The belief filter over the first `burn_in` steps from `starts` (b,), of this process's part of the batch.

        `update`: the model's filter, unless a family trains with another, which may say more.
        """
        model, rng, burn_in = self.model, draw.rng, self.sequences.burn_in
        alone = len(self.embeddings) - 1
        view = draw.mine(rng.choice(alone + 1, len(starts), p=[ALL_CAMERAS] + [(1 - ALL_CAMERAS) / alone] * alone))
        hidden_from = draw.mine(rng.integers(1, burn_in + 8, len(starts)))
        hidden_for = draw.mine(rng.integers(1, burn_in + 1, len(starts)))
        starts = draw.mine(starts)
        mean, variance = (draw.tensor(value).expand(len(starts), -1) for value in model.initial())
        action = torch.zeros(len(starts), 2, device=draw.device)
        for t in range(burn_in):
            steps = starts + t
            cached = draw.tensor(self.embeddings[view, steps])
            hidden = draw.tensor((t >= hidden_from) & (t < hidden_from + hidden_for))
            embedding = hide(self.read(cached), hidden)
            mean, variance, *extra = (update or model.filter)(mean, variance, action, embedding, self.proprio(steps))
            yield Filtered(steps, cached, embedding, mean, variance, self.object(steps), tuple(extra))
            action = self.tensor(self.data.action[steps])

    def read(self, cached: Tensor) -> Tensor:
        """Embedding (b, D) of what the encoder gave in the first phase, for families that go on learning to read it."""
        return cached

    def following(self, steps: np.ndarray) -> np.ndarray:
        """Indices (b, horizon) of the steps to predict after `steps` (b,)."""
        return steps[:, None] + 1 + np.arange(self.sequences.horizon)

    # -- both ----------------------------------------------------------------------------------------------------

    def tool_loss(self, latents: Tensor, steps: np.ndarray) -> Tensor:
        """Error of tool and lag in latents (members, b, H, L) at `steps` (b, H); every robot's joints tell it, no label does."""
        tool = latents[..., TOOL] - self.tensor(self.data.tool_xy[steps])
        lag = latents[..., LAG] - self.tensor(self.data.target_xy[steps] - self.data.tool_xy[steps])
        return position_loss(tool, 0.005).mean() + position_loss(lag, 0.005).mean()

    def object(self, steps: np.ndarray) -> Tensor:
        """Object positions (..., 2) [m] at some steps."""
        return self.tensor(self.data.object_xy[steps])

    def proprio(self, steps: np.ndarray) -> Tensor:
        """Measured and commanded tool position (b, 4) [m] at some steps."""
        return self.tensor(np.concatenate([self.data.tool_xy[steps], self.data.target_xy[steps]], 1))

    def actions(self, following: np.ndarray) -> Tensor:
        """Actions (b, H, 2) that lead to the steps `following` (b, H)."""
        return self.tensor(self.data.action[following - 1])

    def tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)
