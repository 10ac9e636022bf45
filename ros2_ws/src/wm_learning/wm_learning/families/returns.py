"""Returns as distributions over bins of their symmetric logarithm.

Hafner et al. 2023, "Mastering diverse domains through world models".
"""

import torch
from torch import Tensor
from torch.nn import functional as F

BINS = 41
SYMLOG_RANGE = (-6.0, 1.0)  # of rewards and returns: -400 to 1.7


def symlog(x: Tensor) -> Tensor:
    return torch.sign(x) * torch.log1p(torch.abs(x))


def symexp(x: Tensor) -> Tensor:
    return torch.sign(x) * (torch.exp(torch.abs(x)) - 1)


def two_hot(values: Tensor) -> Tensor:
    """Values (...,) -> weights (..., BINS) of the two bins around their symmetric logarithm ."""
    low, high = SYMLOG_RANGE
    place = ((symlog(values) - low) / (high - low) * (BINS - 1)).clamp(0, BINS - 1)
    below = place.floor().clamp(max=BINS - 2)
    share = (place - below)[..., None]
    index = below.long()
    return (1 - share) * F.one_hot(index, BINS) + share * F.one_hot(index + 1, BINS)


def expected(logits: Tensor) -> Tensor:
    """Values (...,) of logits (..., BINS)."""
    low, high = SYMLOG_RANGE
    bins = torch.linspace(low, high, BINS, device=logits.device)
    return symexp((F.softmax(logits, -1) * bins).sum(-1))


def bin_loss(logits: Tensor, values: Tensor) -> Tensor:
    """Cross entropy (...,) of logits (..., BINS) against values (...,)."""
    return -(two_hot(values) * F.log_softmax(logits, -1)).sum(-1)
