"""Augmentation of camera maps: lost cameras, missing objects, occluders, noise. Teaches the encoder when it does not see."""

import torch
from torch import Tensor

from wm_data.depth_labels import MAX_HEIGHT

NEAR = 0.045  # [m] around the object's centre


def fuse_maps(maps: Tensor) -> Tensor:
    """(b, cameras, 5, r, c) -> (b, 5, r, c): per cell the observed one with the greatest height (wm_perception.bev.fuse)."""
    fused = maps[:, 0]
    for camera in range(1, maps.shape[1]):
        other = maps[:, camera]
        better = (other[:, 4] > 0) & ((fused[:, 4] == 0) | (other[:, 0] > fused[:, 0]))
        fused = torch.where(better[:, None], other, fused)
    return fused


def augment(maps: Tensor, position: Tensor, cells: Tensor, generator: torch.Generator) -> Tensor:
    """Random training view (b, 5, r, c) of camera maps (b, cameras, 5, r, c) in 0..1.

    `position` (b, 2): the object, which is taken off the table now and then; `cells` (r, c, 2): cell centres [m].
    """
    fused = fuse_maps(_lose_cameras(maps, generator))
    fused = _take_off_the_table(fused, position, cells, generator)
    fused = _repaint(fused, generator)
    return _occlude(fused, generator)


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator)


def _lose_cameras(maps: Tensor, generator: torch.Generator, share: float = 0.35) -> Tensor:
    """One camera of some samples sees nothing, where another does."""
    batch, cameras = maps.shape[:2]
    if cameras == 1:
        return maps
    lost = _uniform(generator, batch) < share
    victim = (_uniform(generator, batch) * cameras).long()
    chosen = torch.arange(cameras)[None] == victim[:, None]
    another = ((maps[:, :, 4] > 0).flatten(2).any(2) & ~chosen).any(1)
    dark = chosen & (lost & another)[:, None]
    return torch.where(dark[:, :, None, None, None], torch.zeros(()), maps)


def _take_off_the_table(
    fused: Tensor, position: Tensor, cells: Tensor, generator: torch.Generator, share: float = 0.12
) -> Tensor:
    """Some samples show the bare table where the object (and its shadow) is: an encoder that always saw one invents it."""
    batch = len(fused)
    radius = 0.07 + 0.06 * _uniform(generator, batch, 1, 1)
    near = near_cells(cells, position, radius)
    gone = near & (_uniform(generator, batch, 1, 1) < share)
    low = (fused[:, 4] > 0) & (fused[:, 0] < 0.01)
    table = (fused[:, 1:4] * low[:, None]).sum((2, 3)) / low.sum((1, 2)).clamp(min=1)[:, None]
    bare = torch.cat([torch.zeros(batch, 1), table, torch.ones(batch, 1)], 1)[:, :, None, None]
    return torch.where(gone[:, None], bare, fused)


def _repaint(fused: Tensor, generator: torch.Generator) -> Tensor:
    """Other light and colours, noisy heights."""
    batch = len(fused)
    gain = 0.8 + 0.4 * _uniform(generator, batch, 3, 1, 1)
    shift = 0.02 * torch.randn(batch, 3, 1, 1, generator=generator)
    height = fused[:, 0:1] + 0.006 * torch.randn(fused[:, 0:1].shape, generator=generator)
    return torch.cat([height, (fused[:, 1:4] * gain + shift).clamp(0, 1), fused[:, 4:5]], 1)


def _occlude(fused: Tensor, generator: torch.Generator) -> Tensor:
    """Single cells and up to two rectangles that nobody sees; unobserved cells are zero in all channels."""
    batch, _, rows, columns = fused.shape
    r, c = torch.arange(rows)[None, :, None], torch.arange(columns)[None, None, :]
    seen = _uniform(generator, batch, rows, columns) > 0.04 * _uniform(generator, batch, 1, 1)
    for _ in range(2):
        height, width = (4 + 14 * _uniform(generator, batch, 1, 1) for _ in range(2))
        top, left = rows * _uniform(generator, batch, 1, 1), columns * _uniform(generator, batch, 1, 1)
        hit = (r >= top) & (r < top + height) & (c >= left) & (c < left + width)
        seen &= ~(hit & (_uniform(generator, batch, 1, 1) < 0.5))
    return fused * (seen[:, None] & (fused[:, 4:5] > 0))


def near_cells(cells: Tensor, position: Tensor, radius: float | Tensor) -> Tensor:
    """Which cells (b, r, c) of a grid (r, c, 2) are nearer than `radius` [m] to `position` (b, 2)."""
    dx = cells[None, :, :1, 0] - position[:, 0, None, None]
    dy = cells[None, :1, :, 1] - position[:, 1, None, None]
    return dx**2 + dy**2 < radius**2


def visible_share(fused: Tensor, full: Tensor, position: Tensor, cells: Tensor, z_max: float) -> Tensor:
    """Share (b,) of the object's cells in the `full` view (high and near `position` (b, 2)) that the augmented view still shows."""
    near = near_cells(cells, position, NEAR)
    there = near & (full[:, 0] > MAX_HEIGHT / z_max)
    shown = there & (fused[:, 4] > 0) & (fused[:, 0] > 0.5 * MAX_HEIGHT / z_max)
    count = there.sum((1, 2))
    return shown.sum((1, 2)) / count.clamp(min=12)
