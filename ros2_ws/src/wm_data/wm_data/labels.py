"""Object labels where nobody knows the truth: on a real robot, from what stands on the table in depth."""

from dataclasses import replace

import numpy as np

from wm_data.dataset import MOTION, Dataset
from wm_data.dataset_files import DatasetError
from wm_data.depth_labels import depth_labels

GAP = 5  # steps: out of sight for at most this long, where it is follows from before and after
STILL = 0.01  # [m] that it may have moved meanwhile
RECORDED, DEPTH = "recorded", "depth"
LABELS = (RECORDED, DEPTH)


def labelled(data: Dataset, labels: str = RECORDED) -> Dataset:
    """The data with a label in every step: its own, else that of the depth geometry (without yaw); `labels` DEPTH: always that of
    the depth geometry, as if no truth were recorded.

    What the hand hides of an object is missing from its centre: at contact the label of a plate of 11 cm lies some 5 mm too far
    from the tool. Short gaps, in which the hand hides an object that stays where it is, are filled from both sides; steps that stay
    without a label are left out, and an episode is cut there. Raises DatasetError when none is left.
    """
    if labels == DEPTH:
        data = replace(data, objects=np.full_like(data.objects, np.nan))
    missing = ~np.isfinite(data.object_xy).all(1)
    if not missing.any():
        return data
    data = replace(data, objects=data.objects.copy())
    data.objects[missing] = np.nan
    places = data.object_xy  # a view
    places[missing] = depth_labels(data)[missing]
    for episode in np.unique(data.episode):
        steps = np.flatnonzero(data.episode == episode)
        places[steps] = _filled(places[steps])
    known = np.isfinite(places).all(1)
    if not known.any():
        raise DatasetError(
            "expected one object on the table that the cameras see, got none in any step; check the rig's poses, or record"
            " ground_truth/object_pose"
        )
    # A cut makes a new episode of what follows, so that no window reaches over it.
    begins = known & ((np.diff(data.episode, prepend=-1) != 0) | ~np.roll(known, 1))
    keep = np.flatnonzero(known)
    piece = np.cumsum(begins)[keep] - 1
    old = data.episode[keep[np.unique(piece, return_index=True)[1]]]
    order = {int(number): i for i, number in enumerate(np.unique(data.episode))}
    return replace(
        data,
        **{name: getattr(data, name)[keep] for name in ("bev", *MOTION, "world")},
        episode=piece.astype(np.int32),
        seeds=[data.seeds[order[int(number)]] for number in old],
    )


def _filled(places: np.ndarray) -> np.ndarray:
    """Places (n, 2) with short gaps filled, where what is on both sides is the same place."""
    places = places.copy()
    known = np.flatnonzero(np.isfinite(places).all(1))
    for before, after in zip(known[:-1], known[1:], strict=True):
        gap = after - before - 1
        if 0 < gap <= GAP and np.linalg.norm(places[after] - places[before]) < STILL:
            share = np.arange(1, gap + 1)[:, None] / (gap + 1)
            places[before + 1 : after] = (1 - share) * places[before] + share * places[after]
    return places
