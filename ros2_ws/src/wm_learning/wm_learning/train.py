"""Training of the grounded family in two phases.

1. Joint: encoder, dynamics and decoder from images, with a multi-step prediction loss through the dynamics.
2. Sequence: belief filter and dynamics on sequences of the trained encoder's embeddings, with cameras lost and the object
   hidden at random, longer horizon and larger batches (images are not needed again, so a step is cheap).
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wm_core.bundle import HIDDEN_LOGIT, VISIBILITY
from wm_learning.augment import augment, fuse_maps, visible_share
from wm_learning.dataset import Dataset
from wm_learning.grounded import GroundedModel
from wm_learning.grounded.dynamics import CODE, LAG, OBJECT, TOOL
from wm_learning.losses import gaussian_nll, position_loss, weighted_mean


@dataclass(frozen=True)
class TrainConfig:
    """Numbers of one training; the defaults are those of the shipped bundle."""

    seed: int = 0
    validation_share: float = 0.06
    joint_steps: int = 2000
    joint_batch: int = 32
    joint_horizon: int = 6
    joint_rate: float = 1.5e-3
    sequence_steps: int = 7000
    sequence_batch: int = 192
    burn_in: int = 6
    horizon: int = 10
    sequence_rate: float = 1.5e-3
    threads: int = 2


def split(data: Dataset, config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation episode numbers, split by episode."""
    episodes = np.unique(data.episode)
    rng = np.random.default_rng(config.seed)
    rng.shuffle(episodes)
    held_out = max(1, round(len(episodes) * config.validation_share))
    return np.sort(episodes[held_out:]), np.sort(episodes[:held_out])


def train_joint(model: GroundedModel, data: Dataset, episodes: np.ndarray, config: TrainConfig) -> None:
    """Phase 1."""
    horizon = config.joint_horizon
    starts = data.windows(horizon + 1, episodes)
    generator = torch.Generator().manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    progress = _Progress("joint", config.joint_steps)
    optimizer, schedule = _optimizer(model, config.joint_rate, config.joint_steps)
    for step in range(config.joint_steps):
        first = np.sort(rng.choice(starts, config.joint_batch))
        later = first + rng.integers(1, horizon + 1, config.joint_batch)
        loss, report = joint_loss(model, data, first, later, horizon, generator)
        _update(optimizer, schedule, loss, model)
        progress.show(step, report)


def joint_loss(
    model: GroundedModel, data: Dataset, first: np.ndarray, later: np.ndarray, horizon: int, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one batch: seeing at two instants, predicting from the first to all later ones, drawing both."""
    batch = len(first)
    index = np.concatenate([first, later])
    maps = torch.from_numpy(np.asarray(data.bev[index])).float() / 255
    truth = torch.from_numpy(data.object[index, :2])
    fused = augment(maps, truth, model.decoder.cells, generator)
    full = fuse_maps(maps)
    share = visible_share(fused, full, truth, model.decoder.cells, model.bev.z_max)
    embedding = model.encoder(fused)
    weight = 0.02 + share.clamp(max=1)
    coarse, second, position = model.encoder.positions
    see = sum(weighted_mean(position_loss(p - truth), weight) for p in (coarse, second, position))
    heat = -(model.encoder.heat_target(truth) * F.log_softmax(model.encoder.heat_map, 1)).sum(1)
    noise = gaussian_nll(position - truth, torch.exp(embedding[:, 2:4])).mean()
    visible = F.binary_cross_entropy_with_logits(embedding[:, 4], (share > 0.25).float())

    proprio = torch.from_numpy(np.concatenate([data.tool[first], data.target[first]], 1))
    latent = model.latent_of(embedding[:batch], proprio)
    # Dynamics start from what was seen, when it was seen; otherwise from the label.
    seen = (share[:batch] > 0.5).float()[:, None]
    latent = torch.cat([seen * latent[:, OBJECT] + (1 - seen) * truth[:batch], latent[:, 2:]], 1)
    window = first[:, None] + np.arange(horizon)
    actions = torch.from_numpy(data.action[window])
    latents, variances = model.dynamics.rollout(latent.expand(model.sizes.members, -1, -1), actions)
    predict, spread = rollout_loss(latents, variances, data, first, horizon)

    step = torch.from_numpy(later - first - 1)
    chosen = latents[:, torch.arange(batch), step]
    aim = embedding[batch:, 5:].detach()
    both_seen = share[batch:] * seen[:, 0]
    consistent = weighted_mean(((chosen[..., CODE] - aim) ** 2).mean((0, 2)), both_seen)

    codes = torch.cat([embedding[:batch, 5:], chosen[:, :, CODE].mean(0)])
    drawn = model.decoder.canvas(truth, codes)
    near = torch.norm(model.decoder.cells[None] - truth[:, None, None], dim=-1) < 0.09
    mask = full[:, 4:5] * (0.05 + near[:, None].float())
    picture = weighted_mean(
        (drawn - full[:, 1:4]) ** 2, mask.expand_as(drawn) * torch.cat([seen[:, 0], both_seen])[:, None, None, None]
    )

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
        "see": _mm((position - truth)[share > 0.5]),
        "predict": _mm((latents[..., OBJECT] - _future(data, first, horizon))[:, :, -1]),
        "visible": visible.item(),
        "code": consistent.item(),
        "picture": picture.item(),
    }
    return loss, report


def rollout_loss(
    latents: Tensor, variances: Tensor, data: Dataset, start: np.ndarray, horizon: int
) -> tuple[Tensor, Tensor]:
    """Multi-step loss of predicted object and tool against what happened; every member is trained on every sequence."""
    steps = start[:, None] + 1 + np.arange(horizon)
    error = latents[..., OBJECT] - _future(data, start, horizon)
    tool = latents[..., TOOL] - torch.from_numpy(data.tool[steps])
    lag = latents[..., LAG] - torch.from_numpy(data.target[steps] - data.tool[steps])
    predict = position_loss(error).mean() + position_loss(tool, 0.005).mean() + position_loss(lag, 0.005).mean()
    return predict, gaussian_nll(error, variances).mean()


@torch.no_grad()
def embed(model: GroundedModel, data: Dataset, batch: int = 256) -> Tensor:
    """Embeddings (views, T, D) of every step: all cameras fused, then each camera alone."""
    model.eval()
    views: list[list[Tensor]] = [[] for _ in range(1 + data.bev.shape[1])]
    for start in range(0, len(data.bev), batch):
        maps = torch.from_numpy(np.asarray(data.bev[start : start + batch])).float() / 255
        views[0].append(model.encoder(fuse_maps(maps)))
        for camera in range(maps.shape[1]):
            views[1 + camera].append(model.encoder(maps[:, camera]))
    model.train()
    return torch.stack([torch.cat(parts) for parts in views])


def train_sequence(
    model: GroundedModel, data: Dataset, embeddings: Tensor, episodes: np.ndarray, config: TrainConfig
) -> None:
    """Phase 2: the encoder is fixed."""
    starts = data.windows(config.burn_in + config.horizon + 1, episodes)
    rng = np.random.default_rng(config.seed + 1)
    parameters = list(model.filter.parameters())  # include the dynamics'
    optimizer, schedule = _optimizer(parameters, config.sequence_rate, config.sequence_steps)
    progress = _Progress("sequence", config.sequence_steps)
    for step in range(config.sequence_steps):
        start = rng.choice(starts, config.sequence_batch)
        loss, report = sequence_loss(model, data, embeddings, start, config, rng)
        _update(optimizer, schedule, loss, model)
        progress.show(step, report)


def sequence_loss(
    model: GroundedModel,
    data: Dataset,
    embeddings: Tensor,
    start: np.ndarray,
    config: TrainConfig,
    rng: np.random.Generator,
) -> tuple[Tensor, dict[str, float]]:
    """Filter through `burn_in` observations, then predict `horizon` steps from the belief."""
    batch = len(start)
    view = rng.choice(len(embeddings), batch, p=[0.6] + [0.4 / (len(embeddings) - 1)] * (len(embeddings) - 1))
    hidden_from = rng.integers(1, config.burn_in + 8, batch)
    hidden_for = rng.integers(1, config.burn_in + 1, batch)
    mean, variance = (value.expand(batch, -1) for value in model.initial())
    filtered = torch.zeros(())
    for t in range(config.burn_in):
        now = start + t
        seen = embeddings[view, now]
        hide = torch.from_numpy((t >= hidden_from) & (t < hidden_from + hidden_for))
        seen = torch.where(
            hide[:, None] & (torch.arange(seen.shape[1]) == VISIBILITY), torch.full_like(seen, HIDDEN_LOGIT), seen
        )
        proprio = torch.from_numpy(np.concatenate([data.tool[now], data.target[now]], 1))
        action = torch.from_numpy(data.action[now - 1] if t else np.zeros((batch, 2), np.float32))
        mean, variance, _, _, _ = model.filter(mean, variance, action, seen, proprio)
        error = mean[:, OBJECT] - torch.from_numpy(data.object[now, :2])
        filtered = (
            filtered
            + position_loss(error).clamp(max=20).mean()
            + 0.3 * gaussian_nll(error, variance[:, OBJECT]).clamp(max=50).mean()
        )
    now = start + config.burn_in - 1
    window = now[:, None] + np.arange(config.horizon)
    latents, variances = model.dynamics.rollout(
        mean.expand(model.sizes.members, -1, -1), torch.from_numpy(data.action[window])
    )
    predict, spread = rollout_loss(latents, variances + variance[:, None, OBJECT], data, now, config.horizon)
    future = torch.from_numpy(now) + config.horizon
    aim = embeddings[0, future]
    consistent = weighted_mean(((latents[:, :, -1, CODE] - aim[:, 5:]) ** 2).mean((0, 2)), torch.sigmoid(aim[:, 4]))
    loss = 0.2 * filtered / config.burn_in + predict + 0.3 * spread + 0.1 * consistent
    report = {
        "filter": _mm(error),
        "predict": _mm((latents[..., OBJECT] - _future(data, now, config.horizon))[:, :, -1]),
        "code": consistent.item(),
    }
    return loss, report


def _future(data: Dataset, start: np.ndarray, horizon: int) -> Tensor:
    return torch.from_numpy(data.object[start[:, None] + 1 + np.arange(horizon), :2])


def _mm(error: Tensor) -> float:
    """Median length of errors (..., 2) in millimetres."""
    return 1000 * float(torch.linalg.vector_norm(error.detach(), dim=-1).median()) if error.numel() else float("nan")


def _optimizer(
    model: torch.nn.Module | list[torch.nn.Parameter], rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    parameters = model if isinstance(model, list) else list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=1e-4)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.05)


def _update(
    optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, loss: Tensor, model: GroundedModel
) -> None:
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"training diverged: loss is {loss.item()}; lower the learning rate or check the data for NaN"
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    schedule.step()


class _Progress:
    """Prints averages of the reported numbers and the time left."""

    def __init__(self, name: str, steps: int) -> None:
        self._name, self._steps, self._start = name, steps, time.monotonic()
        self._sums: dict[str, list[float]] = {}

    def show(self, step: int, report: dict[str, float]) -> None:
        for key, value in report.items():
            self._sums.setdefault(key, []).append(value)
        if (step + 1) % max(1, self._steps // 20) == 0 or step + 1 == self._steps:
            spent = time.monotonic() - self._start
            left = spent / (step + 1) * (self._steps - step - 1)
            numbers = "  ".join(f"{key} {np.nanmean(values):.3g}" for key, values in self._sums.items())
            print(f"train {self._name}: {step + 1}/{self._steps}  {numbers}  {left:.0f} s left", flush=True)
            self._sums.clear()
