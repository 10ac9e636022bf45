"""The loss of an encoder that looks in stages."""

from torch import Tensor
from torch.nn import functional as F

from wm_learning.families.encoder import Encoder
from wm_learning.training.losses import position_loss, weighted_mean


def seeing_loss(encoder: Encoder, position: Tensor, weight: Tensor) -> Tensor:
    """How far off all stages of the encoder's last call were from `position` (b, 2) [m]; `weight` (b,) of each map."""
    refined = sum(weighted_mean(position_loss(stage - position), weight) for stage in encoder.positions)
    heat = -(heat_target(encoder.cells, position) * F.log_softmax(encoder.heat_map, 1)).sum(1)
    return refined + weighted_mean(heat, weight)


def heat_target(cells: Tensor, position: Tensor, width: float = 0.02) -> Tensor:
    """What the heat map over `cells` (c, 2) [m] should be (b, c): a bump of `width` [m] around `position` (b, 2), summing to one."""
    return F.softmax(-0.5 * ((cells[None] - position[:, None]) ** 2).sum(-1) / width**2, dim=1)
