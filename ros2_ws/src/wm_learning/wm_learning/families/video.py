"""What video does not say, worked out from what it shows: labels from the map's heights, actions from the joints.

Video has cameras and joints and nothing else. Where the tool went next stands for the command, near enough to learn from.
"""

from dataclasses import replace

import numpy as np

from wm_core.futures import XY
from wm_core.layout import columns
from wm_data.dataset import Dataset
from wm_data.dataset_files import LABEL
from wm_data.depth_labels import depth_labels


def completed(video: Dataset) -> Dataset:
    """Video as a dataset to train on: labels without yaw, and the tool's own motion for the commands.

    Its episodes are runs of steps with a label (others are alone in theirs), so that windows never meet a missing one.
    """
    labels = depth_labels(video)
    known = np.isfinite(labels).all(1)
    new = np.diff(video.episode, prepend=-1) != 0
    moved = np.diff(video.tool, axis=0, append=video.tool[-1:])
    objects = np.full_like(video.objects, np.nan)
    objects[:, 0, columns([LABEL.index(name) for name in XY])] = labels
    moved[:-1][new[1:]] = 0  # nobody knows what came after the last step
    return replace(
        video,
        objects=objects,
        target=video.tool,
        action=video.action_spec.from_displacement(moved).astype(np.float32),
        episode=(np.cumsum(new | ~known | ~np.roll(known, 1)) - 1).astype(np.int32),
    )
