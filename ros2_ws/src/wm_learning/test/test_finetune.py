"""A bundle's model goes on learning: from new data, mixed with old, labelled by depth where nobody knows the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wm_core.bundle import Bundle
from wm_core.config import SettingError, configure
from wm_data.dataset import Dataset
from wm_learning.export.weights import WEIGHTS, change, load_model
from wm_learning.pipelines.finetune import FinetuneSettings, finetune
from wm_learning.pipelines.train import RunSettings, train_bundle, unseen
from wm_learning.training.augment import _lose_cameras
from wm_learning.training.embeddings import embed

TINY = {"images": {"steps": 3, "batch": 4}, "sequences": {"steps": 4, "batch": 4, "validate_every": 2}}
FEW = configure(FinetuneSettings, {"threads": 1, "effort": 1.0, "validation_share": 0.2})


@pytest.fixture(scope="module")
def base(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory):
    return train_bundle(dataset, tmp_path_factory.mktemp("base") / "base", RunSettings(threads=1), TINY)


@pytest.fixture(scope="module")
def new(dataset: Dataset) -> Dataset:
    """Other episodes than those of the base: the same ones played faster would do, so every action is recorded larger."""
    return replace(dataset.subset(np.arange(6)), action=1.1 * dataset.subset(np.arange(6)).action, seeds=list(range(6)))


def test_the_weights_in_a_bundle_are_those_of_its_graphs(base):
    bundle, model = Bundle.load(base), load_model(base).eval()
    maps = torch.rand(2, 5, 64, 80)
    with torch.no_grad():
        np.testing.assert_allclose(
            bundle.run("encode", bev=maps.numpy())["embedding"], model.encode(maps).numpy(), atol=1e-4
        )


def test_a_fine_tuned_bundle_says_what_it_came_from_and_what_changed(base, dataset, new, tmp_path):
    folder = finetune(base, new, tmp_path / "tuned", FEW, old=dataset)
    before, after = Bundle.load(base), Bundle.load(folder)
    assert after.id != before.id and after.family == before.family
    recorded = after.spec["data"]["finetuning"]
    assert recorded["base"] == before.id
    assert set(recorded["held_out_mm"]) == {"new", "old"}
    assert recorded["weights_moved"]["encoder"] > 0 and recorded["weights_moved"]["dynamics"] > 0
    # What was held out can be found again, in either part; episodes the base did not see stay unseen.
    for data in (new, dataset):
        assert 0 < len(np.unique(unseen(folder, data).episode)) < len(np.unique(data.episode))
    np.testing.assert_array_equal(np.unique(unseen(folder, dataset).episode), np.unique(unseen(base, dataset).episode))


def test_new_data_of_one_camera_is_mixed_with_old_data_of_two(base, dataset, new, tmp_path):
    folder = finetune(base, replace(new, bev=new.bev[:, :1]), tmp_path / "tuned", FEW, old=dataset)
    figures = Bundle.load(folder).spec["data"]["finetuning"]["held_out_mm"]
    assert all(np.isfinite(figures[part]["after"]["see_mm"]["median"]) for part in ("new", "old"))


def test_no_camera_is_lost_where_no_other_sees_anything(new):
    one = torch.from_numpy(np.asarray(new.bev[:32])).float() / 255
    one[:, 1] = 0  # a camera that this rig does not have
    kept = _lose_cameras(one, torch.Generator().manual_seed(0))
    torch.testing.assert_close(kept, one)


def test_a_camera_that_saw_nothing_is_embedded_as_all_are(base, new):
    views = embed(load_model(base), replace(new, bev=np.concatenate([new.bev[:, :1], 0 * new.bev[:, 1:]], 1)))
    torch.testing.assert_close(views[2], views[0])


def test_a_frozen_encoder_stays_as_it_is(base, new, tmp_path):
    folder = finetune(base, new, tmp_path / "tuned", replace(FEW, encoder="freeze"))
    recorded = Bundle.load(folder).spec["data"]["finetuning"]["weights_moved"]
    assert recorded["encoder"] == 0 and recorded["dynamics"] > 0


def test_a_fine_tuning_that_was_killed_goes_on_to_the_same_weights(base, new, tmp_path):
    once = finetune(base, new, tmp_path / "once", FEW)
    (tmp_path / "twice.run").mkdir()
    for name in ("settings.yaml", "checkpoint.pt"):  # as after a kill between training and export
        (tmp_path / "twice.run" / name).write_bytes((tmp_path / "once.run" / name).read_bytes())
    twice = finetune(base, new, tmp_path / "twice", FEW)
    assert (once / WEIGHTS).read_bytes() == (twice / WEIGHTS).read_bytes()


def test_another_fine_tuning_does_not_go_on_from_this_one(base, new, tmp_path):
    finetune(base, new, tmp_path / "tuned", FEW)
    with pytest.raises(SettingError, match="another grounded, rate"):
        finetune(base, new, tmp_path / "tuned", replace(FEW, rate=0.1))


@pytest.mark.parametrize(
    ("setting", "names"),
    [({"encoder": "thaw"}, "adapt, freeze"), ({"new_share": 0.0}, "new_share"), ({"rate": -1.0}, "rate")],
)
def test_settings_that_cannot_work_are_refused_by_name(setting, names):
    with pytest.raises(SettingError, match=names):
        configure(FinetuneSettings, setting)


def test_a_bundle_without_weights_cannot_be_tuned(base, tmp_path):
    import shutil

    import yaml

    bare = shutil.copytree(base, tmp_path / "bare")
    spec = yaml.safe_load((bare / "bundle.yaml").read_text())
    del spec["files"][WEIGHTS]
    (bare / "bundle.yaml").write_text(yaml.safe_dump(spec))
    with pytest.raises(SettingError, match="expected the weights"):
        load_model(bare)


def test_change_is_relative_to_what_was_there():
    before = {"seeing.w": torch.tensor([3.0, 4.0]), "moving.w": torch.ones(2)}
    after = {"seeing.w": torch.tensor([3.0, 4.5]), "moving.w": torch.ones(2)}
    assert change(before, after) == {"moving": 0.0, "seeing": 0.1}
