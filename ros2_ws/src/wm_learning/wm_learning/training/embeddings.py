"""What an encoder says of every step of a dataset."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from wm_data.dataset import Dataset
from wm_learning.training.augment import fuse_maps

if TYPE_CHECKING:
    from wm_learning.families.base import WorldModel


@torch.no_grad()
def embed(model: "WorldModel", data: Dataset, batch: int = 256) -> Tensor:
    """Embeddings (views, T, D) of every step: all cameras fused, then each camera alone, or all where it saw nothing (datasets of
    different rigs were joined)."""
    device = next(model.parameters()).device
    model.eval()
    views: list[list[Tensor]] = [[] for _ in range(1 + data.bev.shape[1])]
    for start in range(0, len(data.bev), batch):
        maps = maps_of(data, slice(start, start + batch)).to(device)
        views[0].append(model.encode(fuse_maps(maps)).cpu())
        saw = (maps[:, :, 4] > 0).flatten(2).any(2)
        for camera in range(maps.shape[1]):
            alone = model.encode(maps[:, camera]).cpu()
            views[1 + camera].append(torch.where(saw[:, camera, None].cpu(), alone, views[0][-1]))
    model.train()
    return torch.stack([torch.cat(parts) for parts in views])


def maps_of(data: Dataset, index: slice | np.ndarray) -> Tensor:
    """Maps (b, cameras, 5, rows, columns) in 0..1 of some steps."""
    return torch.from_numpy(np.array(data.bev[index])).float() / 255
