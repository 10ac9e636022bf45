"""SIGReg: pushes embeddings towards an isotropic Gaussian, so they cannot collapse.

Balestriero and LeCun 2025 ("LeJEPA: provable and scalable self-supervised learning without the heuristics"): by Cramer and
Wold, a distribution is an isotropic Gaussian when all of its one-dimensional projections are standard normal; each random
projection is tested with the statistic of Epps and Pulley 1983, the weighted squared distance of characteristic functions.
"""

import torch
from torch import Tensor

DIRECTIONS = 128
POINTS = 17
RANGE = 4.0  # characteristic functions are compared on -RANGE..RANGE; they are symmetric, so 0..RANGE is enough


def sigreg(embeddings: Tensor, generator: torch.Generator, directions: int = DIRECTIONS) -> Tensor:
    """Mean Epps-Pulley statistic of `embeddings` (b, d) over random projections; zero for an isotropic Gaussian."""
    size = embeddings.shape[1]
    axes = torch.randn(size, directions, generator=generator).to(embeddings)
    projected = embeddings @ (axes / axes.norm(dim=0))  # (b, directions)
    t = torch.linspace(0, RANGE, POINTS).to(embeddings)
    normal = torch.exp(-0.5 * t**2)
    angles = projected[..., None] * t
    real, imaginary = torch.cos(angles).mean(0), torch.sin(angles).mean(0)  # (directions, points)
    distance = ((real - normal) ** 2 + imaginary**2) * normal
    return torch.trapezoid(distance, t, dim=-1).mean() * 2 * len(embeddings) ** 0.5
