"""Motions in scenes: collected with a seed, read back, refused where they are not whole."""

import numpy as np
import pytest

from wm_data.scenes.collect import NAMES, STEPS, Shard, collect_scenes, collect_shard
from wm_data.scenes.dataset import SceneDataError, load_scenes
from wm_data.scenes.layout import ARRAYS, shape_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    collect_scenes(["single"], 3, folder, 0, 1)
    return folder


def test_motions_have_all_arrays_and_begin_without_contact(folder):
    data = load_scenes(folder)
    assert data.motions >= 3 and data.steps == STEPS and data.worlds == ("single",)
    for name, array in ARRAYS.items():
        assert data.arrays[name].shape == shape_of(array, data.motions, STEPS)
    assert not data.arrays["by_robot"][:, 0].any() and data.arrays["by_robot"].any()
    assert set(data.arrays["motion"].tolist()) <= set(range(len(NAMES)))
    norm = np.linalg.norm(data.arrays["objects"][..., 3:7], axis=-1)
    np.testing.assert_allclose(norm, 1, atol=1e-5)


def test_the_same_seeds_give_the_same_bytes(folder, tmp_path):
    file, _ = collect_shard(Shard("single", "panda", 0, 3, tmp_path / "single_000000.npz"))
    with np.load(file) as again, np.load(folder / "single_000000.npz") as before:
        for name in ARRAYS:
            np.testing.assert_array_equal(again[name], before[name])


def test_what_is_held_out_are_whole_starts(folder):
    training, held_out = load_scenes(folder).split(0.3)
    assert not set(training.arrays["seed"]) & set(held_out.arrays["seed"])
    assert training.motions + held_out.motions == load_scenes(folder).motions


def test_shards_that_are_not_whole_are_refused(folder, tmp_path):
    with pytest.raises(SceneDataError, match=r"expected shards \*.npz"):
        load_scenes(tmp_path)
    with np.load(folder / "single_000000.npz") as found:
        arrays = {name: found[name] for name in ARRAYS}
    np.savez(tmp_path / "a_0.npz", **{name: values for name, values in arrays.items() if name != "tool"})
    with pytest.raises(SceneDataError, match=r"\['tool'\] are missing"):
        load_scenes(tmp_path)
    np.savez(tmp_path / "a_0.npz", **{**arrays, "mass": np.full_like(arrays["mass"], np.nan)})
    with pytest.raises(SceneDataError, match="mass: expected finite numbers"):
        load_scenes(tmp_path)
    (tmp_path / "a_0.npz").write_bytes(b"torn")
    with pytest.raises(SceneDataError, match="expected a shard of scenes"):
        load_scenes(tmp_path)
