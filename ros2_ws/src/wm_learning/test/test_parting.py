"""A network learns to take objects apart, and becomes a graph of a bundle."""

import shutil

import numpy as np
import pytest
import torch

from wm_core.paths import bundles_dir
from wm_core.scene_bundle import SceneBundle, open_parts
from wm_data.scenes.crowds import collect_crowds
from wm_learning.parting.network import PartsNetwork
from wm_learning.parting.training import CROP, Crowds, PartsTraining
from wm_learning.pipelines.train_parts import train_parts
from wm_perception.scene.parts import FAR, HIGH, PartsModel
from wm_perception.scene.surface import CELL, Surface


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return collect_crowds("piles", 6, tmp_path_factory.mktemp("crowds"), 710_000, 1)


def test_votes_of_one_object_agree_however_a_crop_is_turned(files):
    crowds, rng = Crowds(files), np.random.default_rng(0)
    for _ in range(8):
        seen, votes, known = crowds.crop(0, rng)
        places = CELL * np.indices((CROP, CROP), dtype=float)
        tops = np.concatenate([places, HIGH * seen[:1]])[:, known] + FAR * votes[:, known]
        kinds = np.unique(np.round(tops[:2] / 0.001), axis=1)
        assert kinds.shape[1] <= 6, "cells of an object vote for different places"


def test_a_network_learns(files):
    torch.manual_seed(0)
    network = PartsNetwork()
    (phase,) = PartsTraining(network, Crowds(files), steps=1).phases()
    training, rng = PartsTraining(network, Crowds(files)), np.random.default_rng(0)
    optimizer = torch.optim.Adam(phase.parameters, 2e-3)
    losses = []
    for _ in range(15):
        loss, _ = training._of(rng.integers(0, 6, 4), rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


def test_the_graph_goes_into_a_bundle_and_answers(files, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(bundles_dir() / "scene", bundle)
    train_parts(files, tmp_path / "run", bundle, steps=2)
    assert SceneBundle.load(bundle).spec["parts"]["steps"] == 2
    session = open_parts(bundle)
    assert session is not None
    cells = np.zeros((40, 50), bool)
    cells[10:22, 10:23] = True
    surface = Surface(np.zeros(2), 0.05 * cells, np.ones(cells.shape, bool), np.zeros((3, *cells.shape)))
    parts = PartsModel(session).apart(surface, cells)
    assert sum(part.sum() for part in parts) == cells.sum()


def test_without_files_there_is_nothing_to_learn_from():
    with pytest.raises(ValueError, match="expected files of crowded scenes"):
        Crowds([])
