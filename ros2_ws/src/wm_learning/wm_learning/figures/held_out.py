"""Held-out figures of a trained model: seeing, filtering, predicting; with copy-last and constant velocity beside it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wm_data.dataset import Dataset
from wm_dynamics.surprise import Surprise
from wm_learning.families.base import OBJECT, WorldModel
from wm_learning.figures.horizons import errors_after

HORIZONS = (1, 5, 10, 20)
BURN_IN = 6
SURPRISE_QUANTILE = 0.995


@dataclass(frozen=True)
class HeldOut:
    """Numbers of one evaluation; errors in millimetres."""

    see_median: float
    see_p95: float
    filter_median: float
    filter_p95: float
    open_loop: dict[str, dict[str, float]]  # method -> "1", "5", ... -> mean error over moving windows
    surprise_threshold: float

    def metrics(self) -> dict[str, object]:
        rounded = {method: {h: round(e, 2) for h, e in errors.items()} for method, errors in self.open_loop.items()}
        return {
            "see_mm": {"median": round(self.see_median, 2), "p95": round(self.see_p95, 2)},
            "filter_mm": {"median": round(self.filter_median, 2), "p95": round(self.filter_p95, 2)},
            "open_loop_moving_mm": rounded,
        }


@torch.no_grad()
def evaluate(model: WorldModel, data: Dataset, embeddings: Tensor, episodes: np.ndarray) -> HeldOut:
    """Evaluate on the steps of `episodes`; `embeddings` (views, T, D) as made by `embeddings.embed`."""
    model.eval()
    keep = np.isin(data.episode, episodes)
    seen = embeddings[0][torch.from_numpy(keep)]
    see = torch.linalg.vector_norm(seen[:, OBJECT] - torch.from_numpy(data.object_xy[keep]), dim=-1).numpy() * 1000
    filtered, beliefs, surprises = filter_episodes(model, data, embeddings[0], episodes)
    open_loop = open_loop_errors(model, data, beliefs, episodes)
    model.train()
    return HeldOut(
        float(np.median(see)),
        float(np.quantile(see, 0.95)),
        float(np.median(filtered)),
        float(np.quantile(filtered, 0.95)),
        open_loop,
        float(np.quantile(surprises, SURPRISE_QUANTILE)),
    )


def filter_episodes(
    model: WorldModel, data: Dataset, embeddings: Tensor, episodes: np.ndarray
) -> tuple[np.ndarray, dict[int, Tensor], np.ndarray]:
    """Run the belief filter over whole episodes -> errors [mm], belief mean by step index, smoothed surprise after the burn-in."""
    errors, beliefs, surprises = [], {}, []
    for episode in episodes:
        steps = np.flatnonzero(data.episode == episode)
        mean, variance = (value[None] for value in model.initial())
        smoothed = Surprise(1.0)
        for i, step in enumerate(steps):
            action = torch.from_numpy(data.action[step - 1 : step]) if i else torch.zeros(1, 2)
            proprio = torch.from_numpy(np.concatenate([data.tool_xy[step], data.target_xy[step]])[None])
            mean, variance, _, _, surprise = model.filter(mean, variance, action, embeddings[step : step + 1], proprio)
            beliefs[int(step)] = mean[0]
            if i >= BURN_IN:
                surprises.append(smoothed.update(float(surprise)))
                errors.append(
                    1000 * float(torch.linalg.vector_norm(mean[0, OBJECT] - torch.from_numpy(data.object_xy[step])))
                )
    return np.array(errors), beliefs, np.array(surprises)


def open_loop_errors(
    model: WorldModel,
    data: Dataset,
    beliefs: dict[int, Tensor],
    episodes: np.ndarray,
    horizons: tuple[int, ...] = HORIZONS,
) -> dict[str, dict[str, float]]:
    """Mean error [mm] after h steps of known actions over windows in which the object moves, from the belief alone; NaN without any."""
    result: dict[str, dict[str, float]] = {}
    longest = max(horizons)
    starts = data.windows(longest + 1, episodes)
    starts = np.array(
        [
            s
            for s in starts
            if s in beliefs
            and s - 1 in beliefs
            and data.episode[s - 1] == data.episode[s]
            and data.episode[max(0, s - BURN_IN)] == data.episode[s]
        ]
    )
    if not len(starts):  # no episode is long enough
        return {name: {str(h): float("nan") for h in horizons} for name in ("model", "copy_last", "constant_velocity")}
    latent = torch.stack([beliefs[int(s)] for s in starts])
    actions = torch.from_numpy(data.action[starts[:, None] + np.arange(longest)])
    readout, _, _ = model.rollout(latent[None], actions)
    predicted = readout[..., OBJECT].mean(0).numpy()
    now, before = latent[:, OBJECT].numpy(), np.stack([beliefs[int(s) - 1][OBJECT].numpy() for s in starts])
    for h in horizons:
        for name, errors in errors_after(h, data, starts, predicted[:, h - 1], now, before).of.items():
            mean = 1000 * float(errors.mean()) if len(errors) else float("nan")
            result.setdefault(name, {})[str(h)] = mean
    return result
