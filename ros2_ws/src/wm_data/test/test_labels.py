"""Labels where nobody knows the truth: what stands on the table in depth is the object."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.specs import BevSpec
from wm_data.dataset import Dataset
from wm_data.dataset_files import DatasetError
from wm_data.depth_labels import depth_labels
from wm_data.labels import labelled
from wm_tasks.settings import TASK

# Rows and columns of what stands on a table, and the label of it: of torch's arithmetic in float32, which was first.
BLOCKS = {
    "a block": ((20, 24, 30, 38), (0.42000002, -0.048)),
    "another": ((40, 46, 50, 57), (0.58799994, 0.10800003)),
    "at the edge": ((10, 12, 10, 15), (0.33200005, -0.22000003)),
    "too little": ((5, 8, 5, 7), (np.nan, np.nan)),
    "too wide": ((30, 34, 20, 70), (np.nan, np.nan)),
    "half hidden": ((28, 36, 60, 66), (np.nan, np.nan)),
}


@pytest.fixture(scope="module")
def video(dataset):
    """Ten of the synthetic episodes, as a camera saw them."""
    return dataset.subset(np.arange(2, 12)).as_video()


def changed(video, edit):
    """The video with other maps."""
    bev = video.bev.copy()
    edit(bev)
    return replace(video, bev=bev)


def tables():
    """A dataset of one step for each of BLOCKS; two cameras, which see it a cell apart."""
    spec = BevSpec()
    bev = np.zeros((len(BLOCKS), 2, 5, spec.rows, spec.columns), np.uint8)
    bev[:, :, 4] = 255
    for i, ((top, bottom, left, right), _) in enumerate(BLOCKS.values()):
        bev[i, 0, 0, top:bottom, left:right] = 40 + 10 * i
        bev[i, 1, 0, top + 1 : bottom + 1, left:right] = 60
    bev[-1, :, :, 28:34, 55:75] = 0
    tool, actions = np.zeros((len(bev), 6), np.float32), np.zeros((len(bev), 2), np.float32)
    unknown, steps = np.full((len(bev), 1, 4), np.nan, np.float32), np.zeros(len(bev), np.int32)
    world = steps.astype(np.int16)
    return Dataset(bev, tool, tool, actions, unknown, steps, world, ["table"], [0], TASK.action, spec)


# -- from one map --------------------------------------------------------------------------------------------------


def test_the_labels_are_those_that_were_saved():
    expected = np.array([label for _, label in BLOCKS.values()])
    np.testing.assert_allclose(depth_labels(tables()), expected, atol=1e-6)


def test_the_object_is_what_stands_on_the_table(dataset, video):
    off = depth_labels(video) - dataset.object_xy[80:]
    assert np.isfinite(off).mean() > 0.9
    assert np.nanmedian(np.linalg.norm(off, axis=1)) < 0.003


def test_nothing_and_too_much_on_the_table_are_no_label(video):
    def edit(bev):
        bev[3, :, 0] = 0  # a bare table
        bev[5, :, 0, :, 10:14] = bev[5, :, 0, :, -14:-10] = 80  # two walls
        bev[7, :, :, :, 20:60] = 0  # nothing seen of most of it

    labels = depth_labels(changed(video, edit))
    assert np.isnan(labels[[3, 5, 7]]).all()
    assert np.isfinite(labels[[2, 4, 6, 8]]).all()


# -- of a whole dataset ----------------------------------------------------------------------------------------------


def unlabelled(data: Dataset, steps: np.ndarray) -> Dataset:
    places = data.objects.copy()
    places[steps] = np.nan
    return replace(data, objects=places)


def test_depth_labels_an_object_that_nobody_described(dataset):
    found = labelled(unlabelled(dataset, np.arange(len(dataset.episode))))
    assert np.isfinite(found.object_xy).all()
    assert len(found.episode) > 0.8 * len(dataset.episode)
    truth = {dataset.tool_xy[i].tobytes(): dataset.object_xy[i] for i in range(len(dataset.episode))}
    error = [
        np.linalg.norm(place - truth[tool.tobytes()])
        for place, tool in zip(found.object_xy, found.tool_xy, strict=True)
    ]
    assert np.median(error) < 0.005


def test_labels_that_are_known_stay(dataset):
    assert labelled(dataset) is dataset
    some = labelled(unlabelled(dataset, np.arange(10)))
    kept = np.isin(np.arange(len(some.episode)), np.arange(len(some.episode))[-100:])
    np.testing.assert_array_equal(some.objects[kept], dataset.objects[-100:])


def test_where_the_label_is_missing_an_episode_is_cut_so_that_no_window_reaches_over_it(dataset):
    bare = replace(dataset, bev=dataset.bev.copy())
    bare.bev[15:25] = 0  # nobody sees anything for a second
    found = labelled(unlabelled(bare, np.arange(len(dataset.episode))))
    assert len(np.unique(found.episode)) > len(np.unique(dataset.episode))
    assert len(found.seeds) == len(np.unique(found.episode))
    gaps = np.linalg.norm(np.diff(found.tool_xy, axis=0), axis=1)
    assert gaps[np.diff(found.episode) == 0].max() < 0.05


def test_an_empty_table_gives_no_labels(dataset):
    bare = replace(dataset, bev=np.zeros_like(dataset.bev), objects=np.full_like(dataset.objects, np.nan))
    with pytest.raises(DatasetError, match="one object on the table"):
        labelled(bare)
