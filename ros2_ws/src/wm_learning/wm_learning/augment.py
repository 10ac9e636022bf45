"""Augmentation of camera maps: lost cameras, occluders, colour and height noise. Teaches the encoder to know when it does not see."""

import torch
from torch import Tensor

MAX_HEIGHT = 0.012  # [m] cells above this belong to an object
NEAR = 0.045  # [m] around the object's centre


def fuse_maps(maps: Tensor) -> Tensor:
    """(b, cameras, 5, r, c) -> (b, 5, r, c): per cell the observed one with the greatest height (wm_perception.bev.fuse)."""
    fused = maps[:, 0]
    for camera in range(1, maps.shape[1]):
        other = maps[:, camera]
        better = (other[:, 4] > 0) & ((fused[:, 4] == 0) | (other[:, 0] > fused[:, 0]))
        fused = torch.where(better[:, None], other, fused)
    return fused


def augment(maps: Tensor, generator: torch.Generator, *, strong: bool = True) -> Tensor:
    """Random training view (b, 5, r, c) of camera maps (b, cameras, 5, r, c) in 0..1."""
    maps = maps.clone()
    batch, cameras = maps.shape[:2]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    if strong and cameras > 1:
        lost = uniform(batch)
        victim = (uniform(batch) * cameras).long()
        for camera in range(cameras):
            maps[(lost < 0.35) & (victim == camera), camera] = 0
    fused = fuse_maps(maps)
    gain = 0.8 + 0.4 * uniform(batch, 3, 1, 1)
    fused[:, 1:4] = (fused[:, 1:4] * gain + 0.02 * torch.randn(batch, 3, 1, 1, generator=generator)).clamp(0, 1)
    fused[:, 0:1] = fused[:, 0:1] + 0.006 * torch.randn(fused[:, 0:1].shape, generator=generator)
    if strong:
        rows, columns = fused.shape[-2:]
        r, c = torch.arange(rows)[None, :, None], torch.arange(columns)[None, None, :]
        keep = uniform(batch, rows, columns) > 0.04 * uniform(batch, 1, 1)
        for _ in range(2):  # rectangles that nobody sees
            height, width = 4 + 14 * uniform(batch, 1, 1), 4 + 14 * uniform(batch, 1, 1)
            r0, c0 = rows * uniform(batch, 1, 1), columns * uniform(batch, 1, 1)
            hit = (r >= r0) & (r < r0 + height) & (c >= c0) & (c < c0 + width) & (uniform(batch, 1, 1) < 0.5)
            keep &= ~hit
        fused = fused * keep[:, None]
    fused = fused * (fused[:, 4:5] > 0)
    return fused


def visible_share(fused: Tensor, full: Tensor, position: Tensor, cells: Tensor, z_max: float) -> Tensor:
    """Share (b,) of the object's cells in the `full` view (high and near `position` (b, 2)) that the augmented view still shows."""
    near = torch.norm(cells[None] - position[:, None, None], dim=-1) < NEAR
    there = near & (full[:, 0] > MAX_HEIGHT / z_max)
    shown = there & (fused[:, 4] > 0)
    count = there.sum((1, 2))
    return shown.sum((1, 2)) / count.clamp(min=12)
