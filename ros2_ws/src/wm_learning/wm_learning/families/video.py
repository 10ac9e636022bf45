"""What video does not say, worked out from what it shows: labels from the map's heights, actions from the joints.

Video has cameras and joints and nothing else. Whatever stands on the table, the robot's own points being left out of the
map, is the object; and where the tool went next is what it was told, or near enough to learn from.
"""

from dataclasses import replace

import numpy as np
import torch

from wm_data.dataset import Dataset
from wm_learning.families.parts import cell_centres
from wm_learning.training.augment import MAX_HEIGHT, fuse_maps, near_cells
from wm_learning.training.embeddings import maps_of
from wm_tasks.settings import ACTION_SCALE

BATCH = 256
LEAST = 12  # cells of an object
AROUND = 0.05  # [m] around the centre of what stands there
SPREAD = 0.06  # [m] root mean square from that centre beyond which it is not one object
HIDDEN = 0.3  # share of the cells around the centre that nobody may see


def standing(video: Dataset) -> np.ndarray:
    """Centre (T, 2) [m] of what stands on the table at every step; NaN where it is too little, too wide or half hidden."""
    cells, parts = cell_centres(video.spec), []
    for start in range(0, len(video.episode), BATCH):
        fused = fuse_maps(maps_of(video, slice(start, start + BATCH)))
        high = (fused[:, 0] > MAX_HEIGHT / video.spec.z_max).float()
        count = high.sum((1, 2))
        share = high / count.clamp(min=1)[:, None, None]
        centre = torch.einsum("brc,rcx->bx", share, cells)
        spread = (share * ((cells - centre[:, None, None]) ** 2).sum(-1)).sum((1, 2)).sqrt()
        near = near_cells(cells, centre, AROUND)
        hidden = (near & (fused[:, 4] == 0)).sum((1, 2)) / near.sum((1, 2)).clamp(min=1)
        trusted = (count >= LEAST) & (spread < SPREAD) & (hidden < HIDDEN)
        parts.append(torch.where(trusted[:, None], centre, torch.nan))
    return torch.cat(parts).numpy()


def completed(video: Dataset) -> Dataset:
    """Video as a dataset to train on: labels without yaw, and the tool's own motion for the commands.

    Its episodes are runs of steps with a label (others are alone in theirs), so that windows never meet a missing one.
    """
    labels = standing(video)
    known = np.isfinite(labels).all(1)
    new = np.diff(video.episode, prepend=-1) != 0
    moved = np.diff(video.tool, axis=0, append=video.tool[-1:])
    moved[:-1][new[1:]] = 0  # nobody knows what came after the last step
    return replace(
        video,
        object=np.concatenate([labels, np.full((len(labels), 1), np.nan, np.float32)], 1),
        target=video.tool,
        action=(moved / ACTION_SCALE).astype(np.float32),
        episode=(np.cumsum(new | ~known | ~np.roll(known, 1)) - 1).astype(np.int32),
    )
