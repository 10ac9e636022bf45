"""The recurrent state-space cell: a deterministic memory, and categorical variables that say what it cannot know.

Hafner et al. 2019, "Learning latent dynamics for planning from pixels" (PlaNet); discrete variables, straight-through gradients,
unimix and the balanced divergence are those of Hafner et al. 2023, "Mastering diverse domains through world models" (DreamerV3).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

UNIMIX = 0.01  # share of the uniform distribution in every categorical
UPDATE_BIAS = -1.0  # the memory starts out slow


class Cell(nn.Module):
    """Memory (..., deterministic), variables (..., groups * classes); distributions are (..., groups, classes)."""

    def __init__(self, deterministic: int, groups: int, classes: int, inputs: int, seen: int, hidden: int) -> None:
        """`inputs`, `seen`: numbers of what drives the memory, and of what is observed."""
        super().__init__()
        self.groups = groups
        variables = groups * classes
        self.gates = nn.Sequential(
            nn.Linear(deterministic + variables + inputs, 3 * deterministic), nn.LayerNorm(3 * deterministic)
        )
        self._prior = _logits(deterministic, hidden, variables)
        self._posterior = _logits(deterministic + seen, hidden, variables)

    def advance(self, memory: Tensor, variables: Tensor, inputs: Tensor) -> Tensor:
        """The memory after a step: a gated recurrent unit (Cho et al. 2014) with normalised gates."""
        reset, candidate, update = self.gates(torch.cat([memory, variables, inputs], -1)).chunk(3, -1)
        share = torch.sigmoid(update + UPDATE_BIAS)
        return share * torch.tanh(torch.sigmoid(reset) * candidate) + (1 - share) * memory

    def prior(self, memory: Tensor) -> Tensor:
        """What the variables may be, from the memory alone."""
        return self._distribution(self._prior(memory))

    def posterior(self, memory: Tensor, seen: Tensor) -> Tensor:
        """What they may be, having seen something (..., seen)."""
        return self._distribution(self._posterior(torch.cat([memory, seen], -1)))

    def _distribution(self, logits: Tensor) -> Tensor:
        probabilities = F.softmax(logits.unflatten(-1, (self.groups, -1)), -1)
        return (1 - UNIMIX) * probabilities + UNIMIX / probabilities.shape[-1]


def sample(distribution: Tensor, noise: Tensor | float = 0.0) -> Tensor:
    """One-hot variables (..., groups * classes) of a distribution (..., groups, classes), with straight-through gradients.

    `noise`: of the Gumbel distribution, broadcast over leading dimensions (Gumbel 1954); without any, the most probable ones.
    """
    score = torch.log(distribution) + noise
    chosen = F.one_hot(score.argmax(-1), distribution.shape[-1]).to(distribution.dtype)
    return (chosen + (distribution - distribution.detach())).flatten(-2)


def gumbel(*shape: int, generator: torch.Generator) -> Tensor:
    """Noise that makes of the most probable class a sample."""
    uniform = torch.rand(shape, generator=generator).clamp(min=1e-20)
    return -torch.log((-torch.log(uniform)).clamp(min=1e-20))


def divergence(this: Tensor, other: Tensor) -> Tensor:
    """Kullback-Leibler divergence (...,) [nat] of distributions (..., groups, classes)."""
    return (this * (torch.log(this) - torch.log(other))).sum((-2, -1))


def balanced(posterior: Tensor, prior: Tensor, dynamics: float, representation: float, free: float) -> Tensor:
    """Divergence loss (...,): each side is pulled to the other at a weight of its own, and none below `free` [nat]."""
    pull = divergence(posterior.detach(), prior).clamp(min=free)
    hold = divergence(posterior, prior.detach()).clamp(min=free)
    return dynamics * pull + representation * hold


def _logits(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.SiLU(), nn.Linear(hidden, outputs))
