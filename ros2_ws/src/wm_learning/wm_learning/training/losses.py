"""Losses that families share."""

import torch
from torch import Tensor
from torch.nn import functional as F

from wm_learning.training.parallel import shared_mean


def position_loss(error: Tensor, scale: float = 0.01) -> Tensor:
    """Huber loss of position errors (..., 2) [m] in units of `scale`, per element (...,)."""
    return F.huber_loss(error / scale, torch.zeros_like(error), reduction="none", delta=1.0).sum(-1)


def gaussian_nll(error: Tensor, variance: Tensor, floor: float = 1e-6) -> Tensor:
    """Negative log likelihood (...,) of errors (..., 2) [m] under a diagonal Gaussian of `variance` [m^2]; only the variance learns.

    The mean is trained by `position_loss`: a joint likelihood lets hard cases hide behind a large variance
    (Seitzer et al. 2022, "On the pitfalls of heteroscedastic uncertainty estimation").
    """
    variance = variance + floor
    return 0.5 * (error.detach() ** 2 / variance + torch.log(variance / 1e-4)).sum(-1)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of `values` weighted over the whole batch, also when several processes hold parts of it."""
    return (values * weights).sum() / shared_mean(weights.sum()).clamp(min=1e-6)


def millimetres(error: Tensor) -> float:
    """Median length of errors (..., 2) [m] in millimetres; not a number without any."""
    return 1000 * float(torch.linalg.vector_norm(error.detach(), dim=-1).median()) if error.numel() else float("nan")
